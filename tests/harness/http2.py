"""HTTP/2 for the scripted server: well-formed replies only, several streams at once on one connection."""

import threading
import time

import h2.config
import h2.connection
import h2.events

from .behaviours import Reply


class _Connection:
    def __init__(self, server, socket, number):
        self.server, self.socket, self.number = server, socket, number
        self.lock = threading.Lock()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.flush(self.h2.initiate_connection)

    def flush(self, action=None, *arguments, **named):
        with self.lock:
            if action:
                action(*arguments, **named)
            data = self.h2.data_to_send()
            if data:
                self.socket.sendall(data)

    def answer(self, stream, headers):
        from .server import Request
        fields = {name: value for name, value in headers if not name.startswith(":")}
        pseudo = {name: value for name, value in headers if name.startswith(":")}
        fields.setdefault("host", pseudo.get(":authority", ""))
        request = Request(time.monotonic(), self.number, pseudo[":method"], pseudo[":path"], fields, "HTTP/2", "h2")
        step = self.server.begin(request)
        try:
            if not isinstance(step, Reply):
                raise TypeError("only a Reply can be given over HTTP/2")
            time.sleep(step.delay)
            status, reply_headers, content = step.make(request)
            lines = [(":status", str(status))] + [(name.lower(), value) for name, value in reply_headers]
            self.flush(self.h2.send_headers, stream, lines + [("content-length", str(len(content)))])
            for at in range(0, len(content), 16384):  # test replies fit into the window a client opens with
                self.flush(self.h2.send_data, stream, content[at:at + 16384])
            self.flush(self.h2.end_stream, stream)
            request.sent = len(content)
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.server.end(request)


def serve_http2(server, socket, number):
    connection = _Connection(server, socket, number)
    while not server.closing.is_set():
        data = socket.recv(65536)
        if not data:
            return
        with connection.lock:
            events = connection.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                threading.Thread(target=connection.answer, args=(event.stream_id, event.headers), daemon=True).start()
            elif isinstance(event, h2.events.DataReceived):
                connection.flush(connection.h2.acknowledge_received_data, event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                return
        connection.flush()
