"""What the SDK and the worker agree on: variables, files and line formats inside a box.

The underscore is for participants: nothing here is theirs to use. The worker is the other signatory, and the only other
reader. Python 3.6 syntax, standard library only.

Layout of a box, with HOME the folder named by ``NSML_HOME``::

    HOME/journal            one JSON object a line, appended by the SDK, each line in one write
    HOME/checkpoints/<dir>/ a sealed checkpoint: everything the save callback wrote, the model and what lies beside it
    HOME/checkpoint/        predict, fork, serve: the checkpoint to load, laid out as it was sealed
    HOME/loader/            predict: the organiser's data_loader.py
    HOME/out/               results the worker collects: ``prediction`` from predict, ``score.json`` from score
    HOME/fetched/<n>/       checkpoints of other sessions, laid out by the worker on request, read-only
    HOME/questions.sock     the WORKER listens: what the program asks of the platform
    HOME/console.sock       the SDK listens: what a person asks of the live program

Both sockets are Unix streams and speak alike: one connection, one JSON object and a newline in, one and a newline out.
"""

# Variables. NSML_SESSION is a positive integer because programs of 2018 test ``int(os.getenv('NSML_SESSION', '0')) > 0``.
ENV_HOME = "NSML_HOME"
ENV_MODE = "NSML_MODE"
ENV_SESSION_NUMBER = "NSML_SESSION"
ENV_SESSION_NAME = "NSML_SESSION_NAME"
ENV_DATASET_NAME = "NSML_DATASET_NAME"
ENV_DATASET_PATH = "NSML_DATASET_PATH"
ENV_GPU_NUM = "NSML_GPU_NUM"
ENV_CHECKPOINT = "NSML_CHECKPOINT"
ENV_BATCH = "NSML_BATCH"  # predict: rows given to one call of infer, a positive integer; absent: the SDK's own number
ENV_NFS_OUTPUT = "NSML_NFS_OUTPUT"
# A run over several nodes: addresses and ports separated by commas, and which of them this process is.
ENV_WORLD = "NSML_PARALLEL_WORLD"
ENV_PORTS = "NSML_PARALLEL_PORTS"
ENV_RANK = "NSML_MY_RANK"

MODE_TRAIN = "train"
MODE_FORK = "fork"
MODE_SERVE = "serve"
MODE_SUBMIT = "submit"

JOURNAL = "journal"
CHECKPOINTS = "checkpoints"
CHECKPOINT = "checkpoint"
LOADER = "loader"
OUT = "out"
PREDICTION = "prediction"
SCORE = "score.json"
FETCHED = "fetched"
QUESTIONS = "questions.sock"
CONSOLE = "console.sock"

# What may be asked at QUESTIONS, the value of ASK:
# {"ask": "checkpoint", "session": "USER/DATASET/N" or null for one's own, "name": checkpoint}
#   -> {"path": absolute folder in the box, laid out as sealed} or {"error": "No model: USER/DATASET/N/nsml_model/NAME"}
ASK = "ask"
ASK_CHECKPOINT = "checkpoint"

# What may be asked at CONSOLE, the value of DO. "error" is null or the sentence a person is shown. The answer comes out of
# the participant's own process: to the worker it is a text of unknown worth, never more.
# {"do": "exec", "code"} -> {"output": text, "error"}: the repr of an expression, what statements print, in the live scope
# {"do": "infer", "args": [], "kwargs": {}, "app_type": null or "list_string"} -> {"output": JSON or {"base64"}, "error"};
#   without "app_type" the arguments reach infer as they are
# {"do": "sh", "argv": [text]} -> {"output": text, "exit_code": number or null, "error"}
# {"do": "save", "name"} -> {"output": text, "error"}
DO = "do"
APP_TYPE = "app_type"
DO_EXEC = "exec"
DO_INFER = "infer"
DO_SH = "sh"
DO_SAVE = "save"
MAX_QUESTION = 1024 * 1024  # bytes of one line to CONSOLE or QUESTIONS
MAX_ANSWER = 4 * 1024 * 1024  # bytes of the line that comes back

# The path a save callback receives is MODEL inside a fresh folder; the whole folder is the checkpoint, so that files
# written beside the path (a pickled vocabulary) travel with it.
MODEL = "model"
# A folder whose name starts so is being written; it becomes a checkpoint by one rename.
UNSEALED = ".saving-"

# Kinds of journal lines: the value of KIND in every object.
KIND = "k"
# JSON has no word for a number that is not finite: it arrives as one of the texts "NaN", "Infinity", "-Infinity".
REPORT = "report"  # {"k","t": unix seconds,"values": {name: number|text},"step": number|null,"summary": bool}
# {"k","t","name": checkpoint,"dir": folder below checkpoints/,"files": number of files,"bytes": their sum,
#  "summary": {...last reported values, "step" among them}}. A folder that disagrees with "files" and "bytes" lost part of
# itself when the machine lost its power: it is no checkpoint. The same name again replaces the older one.
SAVE = "save"
BOUND = "bound"  # {"k","t","save": bool,"load": bool,"infer": bool}
PAUSED = "paused"  # {"k","t"}
PHASE = "phase"  # {"k","t","phase": one of the PHASE_ values}: entered, in predict
DONE = "done"  # {"k","t"}: predict wrote the whole prediction file
# {"k","t","phase","type","module","message","frames": [[absolute file, line, function], ...] outermost first}; of an
# nsml.errors.WrongLength also "expected" and "got", two numbers of rows. In predict also "organiser": true when the error
# came out of data_loader.py and not out of infer, and "infer_calls": how often infer had been asked by then. With 0 calls
# it is the organiser's alone (phase infer); after a call it may be what infer returned that data_loader.py could not use
# (phase write).
ERROR = "error"
NOTE = "note"  # {"k","t","text"}: a sentence of the SDK to the participant

PHASE_START = "start"
PHASE_SAVE = "save"
PHASE_LOAD = "load"
PHASE_INFER = "infer"
PHASE_WRITE = "write"

# A longer line is not written; the SDK says so once. Keeps one report in one write and the reader's memory bounded.
MAX_LINE = 256 * 1024  # bytes
MAX_CHECKPOINT_NAME = 128  # characters
