"""A local server that answers as the documentation of Electricity Maps says."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "a-secret-key-1234"
ANSWER = {
    "zone": "DE",
    "history": [
        {
            "zone": "DE",
            "carbonIntensity": value,
            "datetime": f"2026-11-24T{hour:02}:00:00.000Z",
            "emissionFactorType": "lifecycle",
            "isEstimated": False,
            "estimationMethod": None,
            "updatedAt": "2026-11-24T12:00:00.000Z",
        }
        for hour, value in enumerate([301, None, 322, 345])
    ],
}


class Server(ThreadingHTTPServer):
    answer, status, seen = json.dumps(ANSWER), 200, ()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.seen = (*server.seen, (self.path, self.headers["auth-token"]))
        status = server.status if self.headers["auth-token"] == SECRET else 401
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{server.url}/stolen")
        self.end_headers()
        self.wfile.write(server.answer.encode())

    def log_message(self, *_):
        pass
