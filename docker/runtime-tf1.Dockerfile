# The runtime `tf1`: Python 3.6 with TensorFlow 1.15, for programs of 2018 to 2020. No SDK in here: each box gets the platform's.
#
# `tf1.5`, the oldest:  --build-arg TENSORFLOW=tensorflow==1.5.0
# On CUDA:              --build-arg BASE=tensorflow/tensorflow:1.15.0-gpu-py3 --build-arg TENSORFLOW=  (the base has it)
ARG BASE=python:3.6-slim-bullseye
FROM ${BASE}
ARG TENSORFLOW="tensorflow==1.15.5"
ARG NUMPY="numpy<1.17"
ARG ALSO="scipy<1.6 pandas<1.2 scikit-learn<0.25 h5py<3 pillow tqdm"
# Releases after these no longer know Python 3.6, or changed what TensorFlow 1 relies on.
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip install --no-cache-dir ${TENSORFLOW} "${NUMPY}" "protobuf<3.20" ${ALSO}
CMD ["python"]
