# The runtime `default`: Python 3.11 with current PyTorch and TensorFlow. The SDK is not in here: each box gets the platform's.
#
# On CUDA: --build-arg TORCH=torch --build-arg TORCH_INDEX= --build-arg "TENSORFLOW=tensorflow[and-cuda]"
# (their wheels bring CUDA with them; the machine needs the driver and NVIDIA's container toolkit).
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG TORCH="torch==2.13.0"
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TENSORFLOW="tensorflow-cpu>=2.18"
ARG ALSO="numpy scipy pandas scikit-learn pillow tqdm"
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} ${TORCH} "${TENSORFLOW}" ${ALSO}
CMD ["python"]
