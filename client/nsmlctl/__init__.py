"""The command line of the platform: it speaks HTTP and prints what the server says."""

# The same number as nsml.__version__; a test holds them together. Reading it from the package's metadata would cost more
# time than the rest of `nsmlctl --version`.
__version__ = "0.1.0"
