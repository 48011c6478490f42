"""moto as a process of its own: `python moto_server.py` prints the port it took on loopback and serves.

It ends when its standard input does, so also when the one who started it was killed, and after LIFE seconds at the
latest.
"""

import logging
import os
import signal
import sys
import threading

LIFE = 3600


def end_with_standard_input():
    while os.read(0, 1):
        pass
    os._exit(0)


def main():
    signal.alarm(LIFE)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True,
                         request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.port)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
