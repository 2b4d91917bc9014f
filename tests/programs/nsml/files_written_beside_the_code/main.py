"""Figures and result files, as notebooks of those years left them beside main.py."""

import os

print("writing")
os.makedirs("results", exist_ok=True)
with open("results/loss.csv", "w") as out:
    out.write("0,0.7\n")
with open("notes.txt", "a") as notes:
    notes.write("changed\n")
os.symlink("/etc/passwd", "results/passwd")
raise SystemExit(1)
