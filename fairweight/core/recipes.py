"""Types of the parts of a resolved study file, as steps receive them (standard library only).

`config/study.schema.yaml` says what each key means; `study.schema.resolve` has checked it and filled in every default.
A step receives the keys that its rule passes, so none is required here. Recipes that name a component hold its options
beside `method` (or `architecture`), and only that component knows them: they are `MethodRecipe`.
"""

from typing import Any, NotRequired, TypedDict

MethodRecipe = dict[str, Any]  # `method` or `architecture`, and the options of that component


class Bounds(TypedDict):
    """A factor with its low and high bound, and where it comes from."""

    low: float
    central: float
    high: float
    source: NotRequired[str]
    year: NotRequired[int]


class Inputs(TypedDict):
    """Columns that a model reads."""

    numeric: list[str]
    categorical: list[str]
    image: str | None
    text: str | None
    pair: str | None
    missing_numeric: str


class Target(TypedDict):
    """The label."""

    column: str
    positive: str | float | bool | None
    only: list[str | float | bool] | None
    strip: str
    unit: NotRequired[str]  # of numbers; there is one, maybe empty, if and only if the label is a number


class RawFile(TypedDict):
    """A raw file: the first source that has it is used."""

    sources: list[str]
    sha256: str | None


class Split(TypedDict):
    """How rows are divided."""

    test: str | float | list[str]
    validation: float


class GroupRecipe(TypedDict, total=False):
    """`datasets: NAME: groups: NAME`: a column, or ranges of rows of a file."""

    column: str
    bins: list[float]
    reference: dict[str, float]
    values: list[str | float | bool]
    merge: dict[str, list[str | float | bool]]
    file: str
    ranges: dict[str, tuple[int, int]]


class DatasetRecipe(TypedDict, total=False):
    """`datasets: NAME`."""

    task: str
    title: str | None
    licence: str | None
    homepage: str | None
    reader: MethodRecipe
    files: dict[str, RawFile]
    decimal: str
    thousands: str | None
    dates: dict[str, str]
    inputs: Inputs
    target: Target | None
    groups: dict[str, GroupRecipe]
    counterfactuals: str | None
    quasi_identifiers: list[str] | None
    repeated: str
    drop: list[str]
    split: Split


class TrainingRecipe(TypedDict, total=False):
    """`training: NAME`, with what the `finetune` of a variant changes."""

    epochs: int
    optimizer: str
    learning_rate: float
    schedule: str
    momentum: float
    weight_decay: float
    head_learning_rate: float | None
    adapt: MethodRecipe
    precision: str
    batch_size: int
    micro_batch_size: int | None
    shuffle: str
    select: str
    patience: int | None
    objective: MethodRecipe
    tolerance: float
    max_iterations: int
    distillation: MethodRecipe


class ElectricityMaps(TypedDict):
    """`energy: electricity_maps`."""

    zone: str
    url: str


class Embodied(TypedDict):
    """`energy: embodied`: emissions of the device (kgCO2e), and how its life is shared out."""

    total_kg: Bounds
    lifetime_years: float
    cores: int
    time_used: float


class StartRecipe(TypedDict):
    """`energy: start`: forecast of carbon intensity (CSV file), and duration of the run in hours."""

    forecast: str
    hours: float


class EnergyRecipe(TypedDict, total=False):
    """`energy`, with `hours` where the study is charged by the hour (see `carbon_intensity.with_hours`)."""

    watts_per_core: Bounds
    processor: str | None
    meter_command: list[str]
    meter_csv: str | None
    watts_per_gb: Bounds
    g_per_kwh: float | None
    intensity_source: str | None
    intensity_year: int | None
    cloud_region: str | None
    hourly: str | None
    electricity_maps: ElectricityMaps | None
    elsewhere: list[str]
    wue_l_per_kwh: float | None
    embodied: Embodied | None
    carbon_budget_g: float | None
    start: StartRecipe | None
    pue: float
    country: str
    hours: Any


class LifeCycleFactors(TypedDict):
    """`life_cycle`: years that a variant is stored, and energy of transfer and storage; with `decision: downloads`."""

    downloads: float
    years: float
    transfer_kwh_per_gb: Bounds
    storage_kwh_per_gb_year: Bounds


class DecisionRecipe(TypedDict):
    """`decision`: what the recommendation minimises, and the use that it assumes."""

    goal: str
    predictions: float
    batch: int
    downloads: float


class Power(TypedDict):
    """`criteria: power`: probability of proof, and what the plan assumes of churn and of the spread over seeds."""

    probability: float
    churn: float
    seed_sd: float


class Criteria(TypedDict, total=False):
    """`criteria`: what a variant must keep to be recommended."""

    error_rate: float
    margins: dict[str, Any]  # shares; of numbers, `absolute` or `relative` with its value; or None
    loss: str
    gap: str | None
    attributes: list[str] | None
    ceilings: dict[str, dict[str, float]]
    untested: str
    guards: list[str]
    against: str
    power: Power
    variant: str | None
