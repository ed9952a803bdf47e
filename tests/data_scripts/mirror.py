"""What the tests of the data scripts share: a local HTTP mirror and the scripts as a user runs them."""

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "data_scripts"


def run(script, *arguments, mirror=None, **more):
    """Runs a script; its exit status and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "GCG_MIRROR"}
    if mirror:
        environment["GCG_MIRROR"] = mirror
    result = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *map(str, arguments)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        timeout=300,
        **more,
    )
    return result.returncode, result.stdout


class Mirror:
    """Serves a folder over HTTP on this machine. `ranges`: answers Range headers; `cut`: closes the connection after so
    many bytes of each answer. `requests` lists (path, Range header) of what was asked for."""

    def __init__(self, folder, ranges=True, cut=None):
        mirror = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                mirror.requests.append((self.path, wanted))
                path = Path(folder) / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                content = path.read_bytes()
                first = 0
                if wanted and ranges:
                    first = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(content) - first))
                self.end_headers()
                self.wfile.write(content[first:] if cut is None else content[first : first + cut])
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
