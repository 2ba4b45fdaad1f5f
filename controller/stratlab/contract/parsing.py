"""Builds syntax trees with lark; apart from the rest because lark is slow to import."""

from functools import lru_cache
from importlib.resources import files
from typing import cast, final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from stratlab.contract import nodes
from stratlab.contract.language import MAX_NUMBER, RuleError
from stratlab.contract.timeframes import canonical_timeframe

# What the parser may expect is called in an error, by terminal name, in the order of listing.
_NOUNS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "INT": "a whole number",
    "PARAMETER": "a $parameter",
    "TIMEFRAME": "a timeframe",
    "COMPARISON": "a comparison",
    "TRUTH": "true or false",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "_AND": "'and'",
    "_OR": "'or'",
    "$END": "the end",
}


def parse(text: str) -> nodes.Expression:
    """Return the syntax tree of a rule whose size was checked.

    Raises:
        RuleError: The text is not a rule of the language.
    """
    try:
        # The transformer turns the tree, which lark promises, into an expression.
        return cast("nodes.Expression", _parser().parse(text))
    except UnexpectedCharacters as error:
        place = error.pos_in_stream or 0
        found = text[place]
        raise RuleError(place + 1, f"unexpected {found!r}{_reason(found)}") from None
    except UnexpectedToken as error:
        found, column = str(error.token), _column(error.token)
        shown = repr(found)
        if error.token.type == "$END":
            shown, column = "the end of the rule", len(text) + 1
        names = error.accepts | error.expected
        expected = " or ".join(noun for name, noun in _NOUNS.items() if name in names)
        message = f"unexpected {shown}{_reason(found)}; expected {expected}"
        raise RuleError(column, message) from None


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = files("stratlab.contract").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=_Build(), maybe_placeholders=True)


def _reason(found: str) -> str:
    if found in {"=", "!"}:
        return " (there is no == or !=)"
    if found in {"<", ">", "<=", ">="}:
        return " (comparisons do not chain: join two with and)"
    return ""


def _column(token: Token) -> int:
    # From the offset, not lark's column: that one starts again after a line break.
    return (token.start_pos or 0) + 1


@final
@v_args(inline=True)
class _Build(Transformer[Token, nodes.Expression]):
    # One method per rule of the grammar.

    def disjunction(self, *operands: nodes.Expression) -> nodes.Expression:
        return nodes.Junction("or", operands, operands[0].column)

    def conjunction(self, *operands: nodes.Expression) -> nodes.Expression:
        return nodes.Junction("and", operands, operands[0].column)

    def inversion(self, word: Token, operand: nodes.Expression) -> nodes.Expression:
        return nodes.Not(operand, _column(word))

    def comparison(
        self, left: nodes.Expression, operator: Token, right: nodes.Expression
    ) -> nodes.Expression:
        return nodes.Comparison(str(operator), left, right, _column(operator))

    def arithmetic(
        self, left: nodes.Expression, operator: Token, right: nodes.Expression
    ) -> nodes.Expression:
        return nodes.Arithmetic(str(operator), left, right, _column(operator))

    def negative(self, sign: Token, operand: nodes.Expression) -> nodes.Expression:
        return nodes.Negative(operand, _column(sign))

    def offset(self, operand: nodes.Expression, bars: Token) -> nodes.Expression:
        if not isinstance(operand, nodes.Reference):
            raise RuleError(_column(bars) - 1, "only a series has an offset [n]")
        return nodes.Reference(
            operand.name, operand.output, operand.timeframe, int(bars), operand.column
        )

    def number(self, text: Token) -> nodes.Expression:
        value = float(text)
        if value > MAX_NUMBER:
            raise RuleError(_column(text), f"a number may not exceed {MAX_NUMBER:g}")
        return nodes.Number(value, _column(text))

    def truth(self, word: Token) -> nodes.Expression:
        return nodes.Truth(str(word) == "true", _column(word))

    def parameter(self, word: Token) -> nodes.Expression:
        return nodes.Parameter(word[1:], _column(word))

    def call(self, name: Token, *arguments: nodes.Expression | None) -> nodes.Expression:
        given = tuple(argument for argument in arguments if argument is not None)
        return nodes.Call(str(name), given, _column(name))

    def reference(
        self, name: Token, output: Token | None, timeframe: Token | None
    ) -> nodes.Expression:
        longer = ""
        if timeframe is not None:
            try:
                longer = canonical_timeframe(timeframe)
            except ValueError as error:
                raise RuleError(_column(timeframe), str(error)) from None
        return nodes.Reference(str(name), str(output or ""), longer, 0, _column(name))
