"""The command line of the platform: it speaks HTTP and prints what the server says."""

# The same number as nsml.__version__; a test holds them together. Reading it from the package's metadata would cost more
# time than the rest of `nsmlctl --version`.
__version__ = "0.1.0"


def version_lines() -> str:
    """As NSML printed them, as far as they mean something here; scripts read the first one."""
    return f"nsmlctl {__version__}\nProtocol: v1\nRevision: {__version__} (not-modified)"
