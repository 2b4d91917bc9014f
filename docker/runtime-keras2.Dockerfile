# The runtime `keras2`: Keras 2.3, the last that was a package of its own. What is in it says its recipe, runtimes/keras2.txt, which
# `make runtimes` follows too. The SDK is not in here: each box gets the platform's.
#
# On CUDA: --build-arg BASE=tensorflow/tensorflow:1.15.0-gpu-py3 (of it CUDA 10.0 and Python 3.6 are used; the wheel of 1.15 in the
# recipe serves GPUs as well)
ARG BASE=python:3.7-slim-bullseye
FROM ${BASE}
COPY runtimes/keras2.txt /usr/local/share/nsml-runtime.txt
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip uninstall --yes --quiet tensorflow-gpu \
    && pip install --no-cache-dir -r /usr/local/share/nsml-runtime.txt
CMD ["python"]
