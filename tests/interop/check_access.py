"""Who may call from the network: nobody without TLS and a token or certificate that is configured."""

import hashlib
import subprocess
import sys
import urllib.request

import grpc

import support
from support import CheckFailed, check, check_equal, eventually

TOKEN = "a-token-of-the-shop"


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CheckFailed(f"openssl {arguments[0]}: {done.stderr}")


def certificates(scratch):
    """A CA, and certificates of a server on loopback and of a client, in `scratch`."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", f"{scratch}/ca.key", "-out", f"{scratch}/ca.pem", "-days", "2", "-subj", "/CN=test CA")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        (scratch / f"{name}.ext").write_text(f"basicConstraints=CA:FALSE\n{extension}\n")
        openssl("req", *key, "-keyout", f"{scratch}/{name}.key", "-out", f"{scratch}/{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{scratch}/{name}.csr", "-CA", f"{scratch}/ca.pem", "-CAkey", f"{scratch}/ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{scratch}/{name}.ext", "-out", f"{scratch}/{name}.pem")
    openssl("x509", "-in", f"{scratch}/client.pem", "-outform", "DER", "-out", f"{scratch}/client.der")
    return hashlib.sha256((scratch / "client.der").read_bytes()).hexdigest()


def script(cleanup, scratch):
    api = support.Api(scratch)
    open_to_all = scratch / "open.toml"
    open_to_all.write_text('[rpc]\nlisten = "0.0.0.0:0"\n')
    refused = subprocess.run([support.binary("sampan"), "check", "--config", str(open_to_all)], capture_output=True, text=True)
    said = refused.stdout + refused.stderr
    check(refused.returncode == 64 and "open.toml" in said and "rpc.tls" in said,
          "`check` refuses an address of the network without TLS, with exit code 64")

    fingerprint = certificates(scratch)
    clients = (
        '[log]\nlevel = "trace"\n'
        f'[[client]]\nname = "shop"\ntoken_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n'
        f'[[client]]\nname = "till"\ncertificate_sha256 = "{fingerprint}"\n'
    )
    tls = f'[rpc.tls]\ncertificate = "{scratch}/server.pem"\nkey = "{scratch}/server.key"\nclient_ca = "{scratch}/ca.pem"\n'
    router = cleanup.add(support.Router(scratch, clients, listen="0.0.0.0:0", rpc=tls))
    address = "127.0.0.1:" + router.rpc.rsplit(":", 1)[1]
    ca = (scratch / "ca.pem").read_bytes()
    plain = grpc.ssl_channel_credentials(ca)
    with_certificate = grpc.ssl_channel_credentials(ca, (scratch / "client.key").read_bytes(), (scratch / "client.pem").read_bytes())

    def listing(credentials, *metadata):
        with grpc.secure_channel(address, credentials) as channel:
            links = api.links_stub.LinksStub(channel)
            try:
                links.List(api.links.ListLinksRequest(), timeout=10, metadata=metadata)
                return grpc.StatusCode.OK, ""
            except grpc.RpcError as error:
                return error.code(), error.details()

    bearer = lambda token: ("authorization", f"Bearer {token}")
    code, said = listing(plain, bearer("another"))
    check(code == grpc.StatusCode.UNAUTHENTICATED and "token_sha256" in said and "another" not in said, f"a wrong token: {said}")
    code, said = listing(plain)
    check(code == grpc.StatusCode.UNAUTHENTICATED and "no credentials" in said, f"no token: {said}")
    code, _ = listing(plain, ("sampan-client", "shop"))
    check_equal(code, grpc.StatusCode.UNAUTHENTICATED, "from the network nobody may just name itself")
    check_equal(listing(plain, bearer(TOKEN))[0], grpc.StatusCode.OK, "the right token over TLS is let in")
    check_equal(listing(with_certificate)[0], grpc.StatusCode.OK, "the client certificate is let in")
    with grpc.insecure_channel(address) as channel:
        try:
            api.links_stub.LinksStub(channel).List(api.links.ListLinksRequest(), timeout=5, metadata=[bearer(TOKEN)])
            code = None
        except grpc.RpcError as error:
            code = error.code()
    check(code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), "without TLS nothing is served")
    metrics = lambda: urllib.request.urlopen(f"http://{router.admin}/metrics", timeout=10).read().decode()
    eventually(lambda: 'client="shop"' in metrics() and 'client="till"' in metrics(), "both clients in the metrics")
    check(True, "the metrics call both clients by their names")
    check_equal(router.stop(), 0, "SIGTERM ends that router with exit code 0")
    check(TOKEN not in "\n".join(router.errors), "its log at level trace has no token")


if __name__ == "__main__":
    sys.exit(support.main(script))
