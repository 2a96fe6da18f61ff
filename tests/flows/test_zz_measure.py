import sys,time
from meldbalie.tests.flows.test_attend_is_killed import attending, kill
from meldbalie.tests.flows.test_desk_of_the_handlers import running
from meldbalie.tests.waiting import until
def test_measure(world, prefect_api):
    with running(world, prefect_api, sys.executable, "-m", "meldbalie", "flows"):
        for life in (66, 3, 3):
            first = until(lambda: attending(world), "first")
            time.sleep(life)
            kill(world)
            began = time.monotonic()
            until(lambda: (now := attending(world)) and now != first, "the next")
            print(f"LIVED {life}, AGAIN AFTER", time.monotonic() - began, file=sys.__stderr__, flush=True)
