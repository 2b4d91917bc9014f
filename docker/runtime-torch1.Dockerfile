# The runtime `torch1`: PyTorch 1.12, for programs of 1.2 to 1.13. What is in it says its recipe, runtimes/torch1.txt, which
# `make runtimes` follows too. The SDK is not in here: each box gets the platform's.
#
# `torch1.1`, the oldest:  --build-arg RUNTIME=torch1.1 --build-arg BASE=python:3.6-slim-bullseye
# On CUDA: as it is. The wheels bring CUDA with them (10.2, and 9.0 for torch1.1); the machine needs the driver and NVIDIA's container
# toolkit. GPUs newer than Turing need another CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu116 (torch1 alone)
ARG BASE=python:3.7-slim-bullseye
FROM ${BASE}
ARG RUNTIME=torch1
ARG TORCH_INDEX=
COPY runtimes/${RUNTIME}.txt /usr/local/share/nsml-runtime.txt
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip install --no-cache-dir -r /usr/local/share/nsml-runtime.txt ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}}
CMD ["python"]
