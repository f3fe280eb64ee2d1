import sys
from pathlib import Path

import pytest

for folder in ("contract", "unit"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
pytest.register_assert_rewrite("promises")
