"""What may stand between a client and its service: TLS with a certificate of one's own, and a proxy."""
import contextlib
import socket
import ssl
import subprocess
import threading

PIECE = 65536


def certificate(folder):
    """A key and a certificate for 127.0.0.1 that no authority knows, in one file each."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class Relay:
    """Listens on a port of its own and passes everything on to target, a port of this machine. With a
    certificate it ends TLS; as a proxy it obeys CONNECT, whose targets it counts."""

    def __init__(self, target=None, files=None):
        self.target, self.connects = target, []
        self.context = None
        if files:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(files[1], files[0])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            stream = self.context.wrap_socket(client, server_side=True) if self.context else client
            target = self.target or self.connect_asked(stream)
            with stream, socket.create_connection(("127.0.0.1", target)) as server:
                back = threading.Thread(target=self.pump, args=(server, stream), daemon=True)
                back.start()
                self.pump(stream, server)
                back.join()

    def connect_asked(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        method, target, _ = head.decode().split(None, 2)
        if method != "CONNECT":
            raise ValueError(method)
        self.connects.append(target)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return int(target.rsplit(":", 1)[1])

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
