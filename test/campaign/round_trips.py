"""A frame under one name becomes another under a second one, by way of numpy: a route of round_trips.c.

    round_trips.py FOLDER_OF_SHMFRAME_PY LIBRARY NAME AGAIN"""

import os
import sys

sys.path.insert(0, sys.argv[1])
os.environ['SHMFRAME_LIBRARY'] = sys.argv[2]
import shmframe  # pylint: disable=wrong-import-position

frame = shmframe.attach(sys.argv[3])
shmframe.publish({label: frame[label] for label in frame.labels}, sys.argv[4], persist=True)
