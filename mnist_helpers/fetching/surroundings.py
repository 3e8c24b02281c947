"""Variables of the environment that can keep a program from the network, named when one is to blame."""

import os
import re
from pathlib import Path

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")


def to_blame(error: str) -> str | None:
    """Return which variable an error of requests or pip comes from and what it says, or None."""
    if "ca certificate bundle" in error.lower():
        return _set_to(CERTIFICATES, "is no file here", lambda value: value and not Path(value).exists())
    if "socks" in error.lower():
        what = "is a SOCKS proxy, which this Python has no package for; unset it"
        return _set_to(PROXIES, what, lambda value: value.lower().startswith("socks"))
    if "proxy" in error.lower():
        return _set_to(PROXIES, "is a proxy that does not let this through; correct it, or unset it")
    return None


def _set_to(names, what: str, is_meant=bool) -> str | None:
    """Return "NAME=value ..." for those of the variables that are meant, without a password in a value."""
    values = {name: os.environ.get(name) or os.environ.get(name.lower(), "") for name in names}
    blamed = {name: re.sub("//[^/@]*@", "//", value) for name, value in values.items() if is_meant(value)}
    return f"{' and '.join(map('='.join, blamed.items()))} {what}" if blamed else None
