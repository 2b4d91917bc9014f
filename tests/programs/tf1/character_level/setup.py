#nsml: nsml/default_ml:tf-1.4.1
from distutils.core import setup

setup(
    name='character level question pairs',
    version='1.0',
    description='are two questions the same',
    install_requires=[
        'tensorflow',
        'numpy',
    ]
)
