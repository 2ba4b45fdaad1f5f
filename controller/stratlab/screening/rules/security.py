"""Rules of layer 2: what no honest strategy needs."""

from typing import Final

from stratlab.domain.strategy import Severity
from stratlab.screening.rule import Layer, Rule
from stratlab_runner import contract


def _error(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.SECURITY, Severity.ERROR, message, hint, rationale)


def _warning(id: str, message: str, hint: str, rationale: str) -> Rule:  # noqa: A002 - its name
    return Rule(id, Layer.SECURITY, Severity.WARNING, message, hint, rationale)


_WATCHED: Final = "; ".join(
    f"{', '.join(sorted(names))} of {module}"
    for module, names in contract.NAMES_OF.items()
    if module != contract.LAB_MODULE
)

IMPORT_NOT_ALLOWED: Final = _error(
    "import_not_allowed",
    "{name} may not be imported",
    f"Use only {', '.join(sorted(contract.ALLOWED_MODULES))}.",
    "An allow-list: a module that is not on it reaches files, processes, the network, other "
    "people's clocks, or the interpreter itself.",
)
STAR_IMPORT: Final = _error(
    "star_import",
    "import * from {name} hides what is used",
    "Import the names that you use.",
    "Readers and these rules must see where a name comes from. Modules whose public names are all "
    "harmless may be imported so.",
)
WATCHED_MODULE: Final = _error(
    "watched_module",
    "{name} is not among the names of {module} that a strategy may use",
    f"Use only {_WATCHED}.",
    "os and sys are imported by many published algorithms for something harmless, and hold most "
    "of what is not.",
)
FORBIDDEN_CALL: Final = _error(
    "forbidden_call",
    "{name} may not be used",
    "Write the logic out instead.",
    "Builtins that run text, open files, wait for a terminal, end the process or show the "
    "interpreter's own tables.",
)
DYNAMIC_ATTRIBUTE: Final = _error(
    "dynamic_attribute",
    "{name} with a computed name hides what is used",
    "Name the attribute directly.",
    "Every other rule about names would be void.",
)
DYNAMIC_CLASS: Final = _error(
    "dynamic_class",
    "{name} makes a class from data",
    "Write a class statement.",
    "A class made from a dictionary gets methods whose names no rule has seen.",
)
FORMAT_ATTRIBUTE: Final = _error(
    "format_attribute",
    "{reason}",
    "Use an f-string.",
    "str.format reads attributes that the text names, dunder ones too.",
)
DUNDER_ACCESS: Final = _error(
    "dunder_access",
    "{name} belongs to Python's own machinery",
    "Use ordinary attributes only.",
    "From any object, __class__, __globals__ and the like lead to everything in the process.",
)
DUNDER_METHOD: Final = _error(
    "dunder_method",
    "{name} is not among the special methods that a strategy may define",
    "Use an ordinary method.",
    "Some special methods are called by the machinery behind a strategy's back: when an object is "
    "pickled, dropped, compared by type or looked up.",
)
FRAME_ACCESS: Final = _error(
    "frame_access",
    "{name} leads into the interpreter's frames",
    "Remove it.",
    "A frame gives the local variables and globals of the code that runs the backtest.",
)
FORBIDDEN_NAME: Final = _error(
    "forbidden_name",
    "{name} reaches behind the lab",
    "Use data, context.portfolio and the documented calls.",
    "The data portal holds prices that the strategy must not know yet; the blotter and the ledger "
    "hold the result that it is judged by.",
)
MODULE_REACH: Final = _error(
    "module_reach",
    "{name} is {module}, which may not be imported",
    "Use the documented names of allowed modules only.",
    "Modules carry what they import: pandas.io.common.os is os. The list of such names is made "
    "from the modules themselves.",
)
PRIVATE_MODULE: Final = _error(
    "private_module",
    "{name} is not a public name of an allowed module",
    "Use the documented names of allowed modules only.",
    "Private parts reach the interpreter and the system, and change without notice.",
)
MODULE_AS_VALUE: Final = _error(
    "module_as_value",
    "the module {name} is passed around as a value",
    "Use the module by its name.",
    "What is done to a module under another name is hidden from every other rule.",
)
FILE_ACCESS: Final = _error(
    "file_access",
    "{name} reads or writes files or the network",
    "Use data.history and data.current; return results by record().",
    "A strategy sees the backtest's data and nothing else; what it writes has no reader.",
)
CODE_IN_TEXT: Final = _error(
    "code_in_text",
    "{name} runs text as code",
    "Write the expression in Python.",
    "Expressions in text escape every rule that reads Python; pandas.eval and "
    "typing.get_type_hints call eval.",
)
NATIVE_CODE: Final = _error(
    "native_code",
    "{name} reaches native code or memory",
    "Use arrays and their methods.",
    "Native calls know no Python object's limits, and memory holds what the strategy must not see.",
)
PROCESS_ACCESS: Final = _error(
    "process_access",
    "{name} starts or steers programs",
    "Remove it.",
    "A strategy is one process that decides; there is nothing else it could need to start.",
)
GLOBAL_STATE: Final = _error(
    "global_state",
    "assigning to {name} changes a module for everybody",
    "Keep your own values in context.",
    "Patching zipline or numpy changes what the backtest computes, for example the value of the "
    "portfolio.",
)
HARDCODED_SECRET: Final = _error(
    "hardcoded_secret",
    "this looks like a secret: {kind}",
    "Remove it, and make the secret invalid where it is from.",
    "Sources are stored, shown and exported. Found by the library detect-secrets.",
)
HIGH_ENTROPY: Final = _warning(
    "high_entropy",
    "this text looks random, as keys do: {kind}",
    "Remove it if it is a secret.",
    "Random text may be a key; it may be a digest too. Found by the library detect-secrets.",
)
CALENDAR_DATE: Final = Rule(
    "calendar_date",
    Layer.SECURITY,
    Severity.WARNING,
    "the rule knows a date: {text}",
    "Decide by prices; take a window's bounds from the trial.",
    "A date in a rule is knowledge of the past that the strategy will not have in the future. "
    "Models remember crashes and splits, so there it is an error.",
    for_models=Severity.ERROR,
)
OWN_COSTS: Final = _warning(
    "own_costs",
    "{name} has no effect: the campaign's cost model is imposed",
    "Remove the call.",
    "No strategy chooses its own fills.",
)

RULES: Final = (
    IMPORT_NOT_ALLOWED,
    STAR_IMPORT,
    WATCHED_MODULE,
    FORBIDDEN_CALL,
    DYNAMIC_ATTRIBUTE,
    DYNAMIC_CLASS,
    FORMAT_ATTRIBUTE,
    DUNDER_ACCESS,
    DUNDER_METHOD,
    FRAME_ACCESS,
    FORBIDDEN_NAME,
    MODULE_REACH,
    PRIVATE_MODULE,
    MODULE_AS_VALUE,
    FILE_ACCESS,
    CODE_IN_TEXT,
    NATIVE_CODE,
    PROCESS_ACCESS,
    GLOBAL_STATE,
    HARDCODED_SECRET,
    HIGH_ENTROPY,
    CALENDAR_DATE,
    OWN_COSTS,
)
