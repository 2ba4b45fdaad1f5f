"""The book of open orders: what leaves it, and what it takes along."""

from tests.evaluation.hand_made import bracket, order

from stratlab.evaluation.order_book import OrderBook


def book_of(log):
    book = OrderBook()
    for entry in log:
        book.place(entry)
    return book


def test_cancelled_entry_takes_its_sleeping_legs_along():
    book = book_of([*bracket(0, 10, stop=5.0, take=10.0), order(4, 0, 1)])
    book.drop(1)
    assert list(book.orders) == [4]


def test_filled_entry_leaves_its_legs_and_a_filled_leg_takes_the_other():
    book = book_of(bracket(0, 10, stop=5.0, take=10.0))
    book.fill(book.orders[1])
    assert list(book.orders) == [2, 3]
    book.drop(1)
    assert list(book.orders) == [2, 3]
    book.fill(book.orders[3])
    assert not book.orders


def test_split_drops_what_it_leaves_without_a_share():
    book = book_of([order(1, 0, 9), *(order(number, 0, 10) for number in (2, 3))])
    book.split(10.0)
    assert [(number, each.amount) for number, each in book.orders.items()] == [(2, 1), (3, 1)]
