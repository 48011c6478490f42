"""A forward proxy on loopback: CONNECT tunnels to loopback only, and a log of what it was asked."""

import select
import socket
import threading

LIFE = 60.0


class Proxy:
    def __init__(self, refuse_with=None, everything_to=None):
        """refuse_with: a status line such as "407 Proxy Authentication Required" given to every request.
        everything_to: a port on loopback where all tunnels end, whatever name was asked for."""
        self.refuse_with, self.everything_to = refuse_with, everything_to
        self.tunnels = []  # "localhost:1234", in order
        self.others = []   # first lines of requests that were no CONNECT
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closing.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        client.settimeout(LIFE)
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            first = head.split(b"\r\n", 1)[0].decode("latin-1")
            method, target, _ = first.split(" ", 2)
            if method != "CONNECT":
                self.others.append(first)
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            self.tunnels.append(target)
            if self.refuse_with:
                client.sendall(f"HTTP/1.1 {self.refuse_with}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            port = self.everything_to or int(target.rsplit(":", 1)[1])
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as upstream:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._pump(client, upstream)
            except OSError:
                return

    def _pump(self, left, right):
        other = {left: right, right: left}
        while not self._closing.is_set():
            readable, _, _ = select.select([left, right], [], [], 0.1)
            for end in readable:
                data = end.recv(65536)
                if not data:
                    return
                other[end].sendall(data)
