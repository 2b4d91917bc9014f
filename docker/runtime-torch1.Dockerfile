# The runtime `torch1`: PyTorch 1.10, the last for Python 3.6, which runs programs written for 0.4 and later. No SDK in here.
#
# On CUDA: --build-arg TORCH=torch==1.10.2+cu113 --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu113
ARG BASE=python:3.6-slim-bullseye
FROM ${BASE}
ARG TORCH="torch==1.10.2+cpu"
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG ALSO="numpy scipy<1.6 pandas<1.2 scikit-learn<0.25 pillow tqdm"
RUN pip install --no-cache-dir --upgrade "pip<22" "setuptools<60" "wheel<0.38" \
    && pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url ${TORCH_INDEX}} ${TORCH} ${ALSO}
CMD ["python"]
