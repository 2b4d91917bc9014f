DATASET_PATH = "/nowhere"
