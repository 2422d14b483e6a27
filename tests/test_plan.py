"""Which device trains whom."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from kohort.cohort import plan
from kohort.cohort.members import Member
from kohort.cohort.plan import ORDER_BYTES, plan_for
from kohort.cohort.population import Population
from kohort.seeds import BatchOrders


def test_members_are_shared_out_over_all_devices() -> None:
    plan = plan_for(5, epochs=3, rows=100)
    assert len(plan.devices) == jax.local_device_count() == 2
    assert plan.per_device == 3
    counts, slots = plan.active(range(5))
    assert counts.tolist() == [3, 2]
    assert slots.tolist() == [0, 1, 2, 0, 1, 2]  # the last slot of the second device idles


def test_only_those_wanted_train() -> None:
    counts, slots = plan_for(6, epochs=1, rows=10).active([1, 5, 3])
    assert counts.tolist() == [1, 2]
    assert slots.reshape(2, 3)[:, :2].tolist() == [[1, 0], [2, 0]]


@pytest.mark.parametrize(("members", "devices", "used"), [(1, None, 2), (7, None, 2), (7, 1, 1), (1, 1, 1), (7, 9, 2)])
def test_one_device_only_if_asked(members: int, devices: int | None, used: int) -> None:
    plan = plan_for(members, 1, 10, devices=devices)
    assert len(plan.devices) == used
    assert f"{used} of 2 cpu devices" in plan.reason


def test_orders_of_a_call_are_bounded() -> None:
    assert plan_for(80, epochs=50, rows=1152).epochs_per_call == 50
    many = plan_for(1000, epochs=50, rows=47_000)
    assert many.epochs_per_call == 1
    middle = plan_for(20, epochs=50, rows=50_000)
    assert 1 < middle.epochs_per_call < 50
    assert 4 * 20 * 50_000 * middle.epochs_per_call <= ORDER_BYTES


def test_members_are_mapped_on_cpu_unless_told_otherwise() -> None:
    assert plan_for(3, 1, 10).at_once == 1
    assert plan_for(3, 1, 10, at_once=2).at_once == 2
    assert plan_for(3, 1, 10, at_once=99).at_once == 2  # as many as a device has
    assert plan_for(3, 1, 10).active(range(3))[0].dtype == np.int32


def test_accelerators_vectorise_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.jax, "local_devices", lambda: [SimpleNamespace(platform="gpu")] * 2)
    assert plan_for(10, 1, 10).at_once == 5
    assert plan_for(10, 1, 10, room=3).at_once == 3
    assert plan_for(10, 1, 10, room=3).per_device == 6
    assert plan_for(10, 1, 10, room=0).at_once == 1
    assert "2 of 2 gpu devices, 5 members at once on each" in plan_for(10, 1, 10).reason


def test_whole_groups_have_slots_and_those_that_idle_come_last() -> None:
    plan = plan_for(10, 1, 10, at_once=4)
    assert plan.per_device == 8
    counts, slots = plan.active([1, 3, 4, 9])
    assert counts.tolist() == [3, 1]
    assert slots.reshape(2, 8).tolist() == [[1, 3, 4, 0, 2, 5, 6, 7], [1, 0, 2, 3, 4, 5, 6, 7]]


def test_members_that_go_on_are_shared_out_anew_and_keep_their_states() -> None:
    orders = BatchOrders(4, 2, False, np.random.RandomState(0))
    members = [Member(0, seed, [np.full(2, seed, np.float32)], orders) for seed in range(6)]
    population = Population(members, plan_for(6, 1, 4))
    population.balance([0, 1, 2])  # all on the first device
    devices = [population.slot_of(member) // 3 for member in (0, 1, 2)]
    assert sorted(devices) in ([0, 0, 1], [0, 1, 1])
    assert sorted(population.slot_of(member) for member in range(6)) == list(range(6))
    for member in range(6):
        np.testing.assert_array_equal(population.fetch(member)[0], np.full(2, member))
    population.change(4, {0: np.full(2, 9.0)})
    population.upload()
    assert [float(population.fetch(member)[0][0]) for member in range(6)] == [0, 1, 2, 3, 9, 5]
    population.change(1, {0: np.full(2, 7.0)})
    last = population.withdraw([5, 1, 4])
    assert {member: state[0].tolist() for member, state in last.items()} == {5: [5, 5], 1: [7, 7], 4: [9, 9]}
    assert all(state[0].base is None for state in last.values())  # to keep one member is not to keep them all
    assert population.state == [None]
