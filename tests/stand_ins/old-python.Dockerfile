# Stands in for python:3.6-slim-bullseye and its like. The context holds an interpreter's tree and the libraries it needs: see make.sh.
ARG BASE
FROM ${BASE}
ARG VERSION
COPY python/ /usr/local/
COPY lib/ /usr/local/lib/old-python/
RUN echo /usr/local/lib/old-python >/etc/ld.so.conf.d/zz-old-python.conf && ldconfig \
    && rm -f /usr/local/bin/python3 /usr/local/bin/python /usr/local/bin/pip /usr/local/bin/pip3 \
    && ln -s "python$VERSION" /usr/local/bin/python3 && ln -s "python$VERSION" /usr/local/bin/python \
    && printf '#!/bin/sh\nexec /usr/local/bin/python -m pip "$@"\n' >/usr/local/bin/pip && chmod 755 /usr/local/bin/pip \
    && cp /usr/local/bin/pip /usr/local/bin/pip3 \
    && python -c 'import ctypes, lzma, sqlite3, ssl, zlib' && pip --version
