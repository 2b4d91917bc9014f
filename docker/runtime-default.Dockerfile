# The runtime `default`: current PyTorch and TensorFlow, in the versions of `make frameworks`, and what goes with them. `tf1-on-2` is
# this one too, with tf-keras for the layers of old. The SDK is not in here: each box gets the platform's.
#
# On CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 --build-arg "TENSORFLOW=tensorflow[and-cuda]==2.21.*" (their
# wheels bring CUDA 12 with them; the machine needs a driver of 560 or newer and NVIDIA's container toolkit). Either framework may be left
# out: --build-arg TENSORFLOW=
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG TORCH="torch==2.13.0"
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TENSORFLOW="tensorflow-cpu==2.21.*"
ARG ALSO="numpy scipy pandas scikit-learn pillow tqdm"
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} ${TORCH} ${TENSORFLOW} ${ALSO}
# It asks for the package named `tensorflow`, which the CPU's other name does not satisfy.
ARG TF_KERAS="tf-keras==2.21.*"
RUN pip install --no-cache-dir --no-deps ${TF_KERAS}
COPY runtimes/clashes.py /tmp/clashes.py
RUN python /tmp/clashes.py
CMD ["python"]
