# The runtime `keras2`: Keras 2.3, the last with backends to choose from, on TensorFlow 1.15 and Python 3.6. No SDK in here.
#
# On CUDA: --build-arg BASE=tensorflow/tensorflow:1.15.0-gpu-py3 --build-arg TENSORFLOW=  (the base has it)
ARG BASE=python:3.6-slim-bullseye
FROM ${BASE}
ARG TENSORFLOW="tensorflow==1.15.5"
ARG KERAS="keras==2.3.1"
ARG ALSO="scipy<1.6 pandas<1.2 scikit-learn<0.25 pillow tqdm"
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip install --no-cache-dir ${TENSORFLOW} "${KERAS}" "numpy<1.17" "protobuf<3.20" "h5py<3" ${ALSO}
ENV KERAS_BACKEND=tensorflow
CMD ["python"]
