"""A small web server that behaves as badly as it is told to."""

import re
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves ``routes``, path to function of the request; remembers the ``requests`` made."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes, self.requests = {}, []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def count(self, path):
        return sum(asked == path for asked, _ in self.requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        self.server.requests.append((self.path, self.headers.get("Range")))
        with suppress(BrokenPipeError, ConnectionResetError):
            self.server.routes.get(self.path, answer(404))(self)

    def log_message(self, *args):
        pass

    def head(self, status, **headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


@contextmanager
def running():
    """Run a `Server` for the length of the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def serve(data, *, etag=None, ranges=True, content_type="application/octet-stream"):
    """Serve ``data`` as a good server does, with ranges or without."""

    def respond(request):
        headers = {"Content_Type": content_type} | ({"ETag": etag} if etag else {})
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked and ranges:
            start = int(asked[1])
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            request.head(206, Content_Length=len(data) - start, **headers)
            request.wfile.write(data[start:])
        else:
            request.head(200, Content_Length=len(data), **headers)
            request.wfile.write(data)

    return respond


def answer(status, body=b"<html>no</html>", content_type="text/html; charset=utf-8"):
    """Answer with a status and a page."""

    def respond(request):
        request.head(status, Content_Type=content_type, Content_Length=len(body))
        request.wfile.write(body)

    return respond


def redirect(url):
    """Send the asker elsewhere."""
    return lambda request: request.head(302, Location=url, Content_Length=0)


def cut_off(data, after, *, etag=None, stall=0.0):
    """Promise all of ``data``, send ``after`` bytes, wait for ``stall`` seconds, hang up."""

    def respond(request):
        headers = {"ETag": etag} if etag else {}
        request.head(200, Content_Length=len(data), **headers)
        request.wfile.write(data[:after])
        request.wfile.flush()
        time.sleep(stall)

    return respond


def in_turn(*responses):
    """Respond with each of ``responses`` once, then with the last for ever."""
    left = list(responses)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)
