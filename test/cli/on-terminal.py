"""Runs a command on a terminal of a given width: on-terminal.py <columns> <answers as JSON> <command...>. Each answer is typed at its prompt."""
import fcntl, json, os, pty, struct, sys, termios

columns, answers, command = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
output = b""
answered = 0
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        data = b""
    if not data:
        break
    output += data
    tail = output[answered:]
    if answers and (b"q: stop " in tail or b"[y/N] " in tail or b"to go on: " in tail or b"code: " in tail):
        answered = len(output)
        os.write(terminal, answers.pop(0).encode() + b"\r")
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(output.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(status))
