/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command `understudy`: the relay itself (`run`) and the way to talk to a running one. */
#include "commands.h"

int main(int argc, char **argv)
{
	return commands_main(argc, argv);
}
