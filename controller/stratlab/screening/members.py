"""What allowed modules offer that strategies may not use, and names that betray it anywhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final, final

from stratlab.screening.rule import Rule
from stratlab.screening.rules import security as rules

_READERS: Final = frozenset(
    {"csv", "excel", "feather", "fwf", "gbq", "hdf", "html", "json", "orc", "parquet", "pickle"}
    | {"sas", "spss", "sql", "sql_query", "sql_table", "stata", "table", "xml", "clipboard"}
)
_FILES: Final = frozenset(
    {f"pandas.read_{kind}" for kind in _READERS}
    | {f"pandas.{name}" for name in ("ExcelFile", "ExcelWriter", "HDFStore", "io", "to_pickle")}
    | {f"numpy.{name}" for name in ("DataSource", "fromfile", "fromregex", "genfromtxt", "load")}
    | {f"numpy.{name}" for name in ("loadtxt", "memmap", "recfromcsv", "recfromtxt", "save")}
    | {f"numpy.{name}" for name in ("savetxt", "savez", "savez_compressed", "rec.fromfile")}
    | {f"numpy.lib.{name}" for name in ("format", "npyio", "DataSource")}
    | {"scipy.datasets", "scipy.io", "scipy.misc"}
    | {"logging.FileHandler", "logging.config", "logging.handlers"}
    | {"pytz.open_resource", "pytz.resource_exists", "zipline.api.fetch_csv"}
    | {f"statsmodels.api.{name}" for name in ("datasets", "load", "load_pickle", "webdoc")}
    | {"statsmodels.datasets", "statsmodels.iolib.foreign", "statsmodels.iolib.smpickle"}
    | {"statsmodels.iolib.openfile", "statsmodels.iolib.table.csv2st", "statsmodels.tools.web"}
    | {"statsmodels.tsa.vector_ar.util.parse_lutkepohl_data", "numpy.ma.mrecords.openfile"}
    | {"bottleneck.src", "scipy.sparse.load_npz", "scipy.sparse.save_npz"}
    | {f"empyrical.utils.{name}" for name in ("cache_dir", "data_path", "ensure_directory")}
    | {f"empyrical.utils.{name}" for name in ("default_returns_func", "get_returns_cached")}
    | {"empyrical.utils.load_portfolio_risk_factors", "numpy.ma.mrecords.fromtextfile"}
    | {"contextlib.chdir", "json.tool", "zipline.pipeline.loaders"}
)
_CODE: Final = frozenset(
    {"pandas.eval", "typing.ForwardRef", "typing.get_type_hints", "numpy.testing"}
    | {"numpy.lib.add_newdoc", "pandas.compat.pickle_compat", "pandas.core.computation"}
)
_NATIVE: Final = frozenset({"numpy.ctypeslib", "pandas.core.interchange", "scipy.LowLevelCallable"})
_PROCESSES: Final = frozenset(
    {"numpy.distutils", "numpy.f2py", "pandas.show_versions", "statsmodels.api.show_versions"}
    | {f"{package}.test" for package in ("bottleneck", "numpy", "pandas", "scipy", "statsmodels")}
    | {"bottleneck.bench", "bottleneck.benchmark", "statsmodels.api.test"}
    | {"statsmodels.tools.print_version", "statsmodels.tsa.x13", "zipline.pipeline.visualize"}
    | {f"statsmodels.tsa.x13.x13_arima_{name}" for name in ("analysis", "select_order")}
)
HARMLESS_PREFIX: Final = "assert_"
"""Names below members that are harmless all the same: one of zipline's own examples uses
numpy.testing."""

MEMBERS: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(sorted(_FILES), rules.FILE_ACCESS),
    **dict.fromkeys(sorted(_CODE), rules.CODE_IN_TEXT),
    **dict.fromkeys(sorted(_NATIVE), rules.NATIVE_CODE),
    **dict.fromkeys(sorted(_PROCESSES), rules.PROCESS_ACCESS),
    "zipline.assets.AssetFinder": rules.FORBIDDEN_NAME,
    "zipline.assets.asset_writer": rules.FORBIDDEN_NAME,
    "string.Formatter": rules.FORMAT_ATTRIBUTE,
    "dataclasses.make_dataclass": rules.DYNAMIC_CLASS,
    "enum.EnumMeta": rules.DYNAMIC_CLASS,
    "enum.EnumType": rules.DYNAMIC_CLASS,
}
"""What may not be used of allowed modules, each with all that lies below it."""

_FILE_METHODS: Final = frozenset(
    {f"read_{kind}" for kind in _READERS}
    | {f"to_{kind}" for kind in ("clipboard", "excel", "feather", "gbq", "hdf", "orc", "parquet")}
    | {f"to_{kind}" for kind in ("pickle", "sql", "stata")}
    | {"tofile", "savetxt", "savez", "savez_compressed", "load_pickle", "urlopen", "urlretrieve"}
    | {"DataSource", "ExcelFile", "ExcelWriter", "FileHandler", "HDFStore", "fetch_csv", "fromfile"}
    | {"fromregex", "genfromtxt", "loadtxt", "memmap", "npyio", "open_resource", "recfromcsv"}
    | {"recfromtxt", "save_npz", "load_npz"}
    | {"read_bytes", "read_text", "write_bytes", "write_text"}
)
_PROGRAM_METHODS: Final = frozenset(
    {"Popen", "check_call", "check_output", "execl", "execv", "execve", "execvp", "fork"}
    | {"forkpty", "getoutput", "popen", "posix_spawn", "spawnl", "spawnv", "startfile", "system"}
)
_MODULE_NAMES: Final = frozenset(
    {"builtins", "ctypes", "importlib", "inspect", "marshal", "multiprocessing", "os", "pathlib"}
    | {"pickle", "pkgutil", "posix", "runpy", "shutil", "socket", "subprocess", "sys", "tempfile"}
    | {"threading", "urllib"}
)
_FRAME_NAMES: Final = frozenset(
    {f"{kind}_{part}" for kind in ("ag", "cr", "gi") for part in ("await", "code", "frame")}
    | {"cr_origin", "gi_yieldfrom", "f_back", "f_builtins", "f_code", "f_globals", "f_locals"}
    | {"f_trace", "tb_frame", "tb_next", "co_code", "co_consts", "co_names", "func_globals"}
)
_LAB_NAMES: Final = frozenset(
    {"get_algo_instance", "set_algo_instance", "data_portal", "_data_portal", "metrics_tracker"}
    | {"perf_tracker", "asset_finder", "adjustment_reader", "_ledger", "_metrics_tracker"}
)
CONTEXT_INTERNALS: Final = frozenset(
    {"blotter", "engine", "sim_params", "bundle", "get_generator", "run", "metrics_set"}
)
"""Machinery of zipline's algorithm that has a name of its own on ``context``."""

ATTRIBUTES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_FILE_METHODS, rules.FILE_ACCESS),
    **dict.fromkeys(_MODULE_NAMES, rules.MODULE_REACH),
    **dict.fromkeys(_FRAME_NAMES, rules.FRAME_ACCESS),
    **dict.fromkeys(_LAB_NAMES, rules.FORBIDDEN_NAME),
    **dict.fromkeys(("LowLevelCallable", "ctypes", "ctypeslib"), rules.NATIVE_CODE),
    **dict.fromkeys(("f2py", "show_versions"), rules.PROCESS_ACCESS),
    "_module": rules.PRIVATE_MODULE,
    "mro": rules.DUNDER_ACCESS,
}
"""Names that may not follow a dot, whatever stands before it."""

METHODS: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_PROGRAM_METHODS, rules.PROCESS_ACCESS),
    **dict.fromkeys(("dump", "save"), rules.FILE_ACCESS),
    **dict.fromkeys(("eval", "query"), rules.CODE_IN_TEXT),
}
"""Methods that may not be called, unless the source itself defines one of that name."""

TEXT_METHODS: Final = frozenset(
    {"to_csv", "to_html", "to_json", "to_latex", "to_markdown", "to_string", "to_xml"}
)
"""They return a text, unless they are told where to write it."""


def member_rule(name: str) -> Rule | None:
    """Return the rule against a dotted name of an allowed module, None if there is none."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        rule = MEMBERS.get(".".join(parts[:end]))
        if rule is not None:
            return rule
    return None


@final
@dataclass(frozen=True, slots=True)
class Surface:
    """What the allowed modules carry; made by ``python -m tests.screening.surface``.

    Attributes:
        modules: Public modules at and below the allowed ones.
        foreign: Attribute names under which they carry modules that are not allowed.
        carried: Attribute names that always mean the same allowed module.
        carried_here: For modules, attributes that are allowed modules and mean others elsewhere.
        own: For modules and classes, attributes that are called like a foreign module but are
            none.
        aliases: Other names of what is among :data:`MEMBERS`.
        functions: Functions and classes of dangerous modules that public modules carry.
    """

    modules: Mapping[str, int]
    foreign: Mapping[str, str]
    carried: Mapping[str, str]
    carried_here: Mapping[str, Mapping[str, str]]
    own: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, str]
    functions: Mapping[str, str]

    def walk(self, root: str, attributes: list[str]) -> Iterator[tuple[str, str | None]]:
        """Yield what each attribute of a chain is called at home, and the foreign module it is.

        The walk ends at a foreign module, or at a function of one.
        """
        place = root
        for name in attributes:
            real = self.carried.get(name) or self.carried_here.get(place, {}).get(name)
            full = f"{place}.{name}"
            if real is not None:
                place = real
            elif name in self.foreign and name not in self.own.get(place, ()):
                yield full, self.foreign[name]
                return
            elif full in self.functions:
                yield full, self.functions[full]
                return
            else:
                place = self.aliases.get(full, full)
            yield place, None


@lru_cache(maxsize=1)
def surface() -> Surface:
    """Return the surface of the modules in the sandbox image."""
    found = files("stratlab.screening").joinpath("surface.json").read_bytes()
    return Surface(**json.loads(found))
