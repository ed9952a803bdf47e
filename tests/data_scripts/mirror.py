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
        **{"timeout": 300, **more},
    )
    return result.returncode, result.stdout


class Mirror:
    """Serves a folder over HTTP on this machine.

    `ranges`: answers Range headers ("always": whatever If-Range says); `cut`: closes the connection after so many bytes
    of each answer; `tag`: its ETag, which If-Range is held against; `page`: what is sent in the place of every file,
    without its length; `status`: the error that answers every request; `hold`: an event to wait for before each answer.
    `requests` lists (path, Range header) of what was asked for.
    """

    def __init__(self, folder, ranges=True, cut=None, tag=None, page=None):
        mirror = self
        self.requests = []
        self.cut = cut
        self.tag = tag
        self.status = None
        self.hold = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                mirror.requests.append((self.path, wanted))
                if mirror.status:
                    self.send_error(mirror.status)
                    return
                path = Path(folder) / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                if mirror.hold:
                    mirror.hold.wait(60)
                if page is not None:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(page)
                    self.close_connection = True
                    return
                content = path.read_bytes()
                first = 0
                if wanted and ranges and (ranges == "always" or self.headers.get("If-Range") == mirror.tag):
                    first = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(content) - first))
                if mirror.tag:
                    self.send_header("ETag", mirror.tag)
                self.end_headers()
                try:
                    self.wfile.write(content[first:] if mirror.cut is None else content[first : first + mirror.cut])
                except BrokenPipeError:
                    pass  # whoever asked was interrupted
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
