"""Ports: the usual one, else another, and never one that another clone is about to take."""

import socket

from config.local.ports import LOOPBACK, PortReservation, free_port, is_free


def test_usual_port_is_taken_when_it_is_free() -> None:
    usual = free_port()
    reservation = PortReservation()
    try:
        assert reservation.choose(usual) == usual
    finally:
        reservation.release()


def test_another_port_is_chosen_when_somebody_listens_on_the_usual_one() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        usual = listener.getsockname()[1]
        assert not is_free(usual)
        reservation = PortReservation()
        try:
            chosen = reservation.choose(usual)
        finally:
            reservation.release()
    assert chosen != usual


def test_another_port_is_chosen_when_another_clone_has_reserved_the_usual_one() -> None:
    usual = free_port()
    first, second = PortReservation(), PortReservation()
    try:
        assert first.choose(usual) == usual
        assert is_free(usual)
        assert second.choose(usual) != usual
        first.release()
        third = PortReservation()
        try:
            assert third.choose(usual) == usual
        finally:
            third.release()
    finally:
        first.release()
        second.release()
