"""Motion: orientation, movement angle, repetitions and range of motion; knows nothing of Bluetooth."""
