# The runtime `torch1`: PyTorch 1.1, for programs of 0.4 to 1.5. What is in it says its recipe, runtimes/torch1.txt, which
# `make runtimes` follows too. The SDK is not in here: each box gets the platform's.
#
# On CUDA: as it is. The wheel of 1.1.0 brings CUDA 9.0 with it; the machine needs the driver and NVIDIA's container toolkit.
ARG BASE=python:3.6-slim-bullseye
FROM ${BASE}
COPY runtimes/torch1.txt /usr/local/share/nsml-runtime.txt
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip install --no-cache-dir -r /usr/local/share/nsml-runtime.txt
CMD ["python"]
