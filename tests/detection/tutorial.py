"""Logins by the rules of the tutorial of SageMaker's IP Insights, at its own scale: 10,000 users, some three million
logins in ten days, of which those of the first seven are learned; of the rest 100,000, and as many attacks: a user
drawn at random, and a network drawn at random with an address in it.

Its table of networks is not at hand. Ours covers all of IPv4 with about as many, in the order of their addresses:
most are a /24, and a few hold most of the space. The published figures, of a threshold of 0: 98.5 % of the
attacks found, at 5.04 % of the others."""
import random

USERS = 10_000
NETWORKS_NEAR_HOME = 50_000
ASKED = 100_000
END = 1_542_153_600  # 2018-11-14
LEARNED_UNTIL = END - 3 * 86_400
SPACE = 1 << 32


def networks(draw):
    """Where each begins, and the end of the space."""
    starts, at = [], 0
    while at < SPACE:
        starts.append(at)
        bits = 8
        while bits < 24 and draw.random() < 0.55:
            bits += 1
        at += 1 << bits
    return starts + [SPACE]


def address(draw, starts, network):
    ip = draw.randrange(starts[network], starts[network + 1])
    return f"{ip >> 24}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"


def logins(draw, starts, user):
    count = len(starts) - 1
    home = draw.randrange(count)
    work = home
    while work == home:
        work = (home + draw.randrange(-NETWORKS_NEAR_HOME, NETWORKS_NEAR_HOME + 1)) % count
    travels, at_home = draw.betavariate(1, 30), draw.betavariate(3, 5)
    for _ in range(min(10_000, int(50 * (draw.paretovariate(1) + 1)))):
        if draw.random() < travels:
            network = draw.randrange(count)
        else:
            network = int(draw.gauss(home if draw.random() < at_home else work, 10)) % count
        yield END - draw.randrange(10 * 86_400), f"user_{user},{address(draw, starts, network)}"


def write(train, test, seed=1):
    """Returns how many logins are to be learned, and how many networks there are."""
    draw = random.Random(seed)
    starts = networks(draw)
    learned, later, users = 0, [], set()
    with train.open("w") as file:
        for user in range(USERS):
            for time, pair in logins(draw, starts, user):
                if time <= LEARNED_UNTIL:
                    file.write(f"{pair},{time}\n")
                    users.add(user)
                    learned += 1
                else:
                    later.append((user, f"{pair},{time}"))
    known = [pair for user, pair in later if user in users]
    users = sorted(users)
    with test.open("w") as file:
        file.write("entity,ip,ts,label\n")
        for pair in draw.sample(known, ASKED):
            file.write(f"{pair},0\n")
        for _ in range(ASKED):
            attacked = address(draw, starts, draw.randrange(len(starts) - 1))
            file.write(f"user_{draw.choice(users)},{attacked},{END},1\n")
    return learned, len(starts) - 1
