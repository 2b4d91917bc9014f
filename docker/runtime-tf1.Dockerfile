# The runtime `tf1`: the last TensorFlow 1, for programs of 2018 to 2020. What is in it says its recipe, runtimes/tf1.txt, which
# `make runtimes` follows too. The SDK is not in here: each box gets the platform's.
#
# `tf1.5`, the oldest:  --build-arg RUNTIME=tf1.5 --build-arg BASE=python:3.6-slim-bullseye
# On CUDA:              --build-arg BASE=tensorflow/tensorflow:1.15.0-gpu-py3 (of it CUDA 10.0 and Python 3.6 are used; the wheel of
#                       1.15 in the recipe serves GPUs as well). There is none for tf1.5: its CUDA images have Python 3.5.
ARG BASE=python:3.7-slim-bullseye
FROM ${BASE}
ARG RUNTIME=tf1
COPY runtimes/${RUNTIME}.txt /usr/local/share/nsml-runtime.txt
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip uninstall --yes --quiet tensorflow-gpu \
    && pip install --no-cache-dir -r /usr/local/share/nsml-runtime.txt
CMD ["python"]
