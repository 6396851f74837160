# SPDX-License-Identifier: GPL-3.0-or-later
# A text file as the lines of a C string literal.
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n"/
