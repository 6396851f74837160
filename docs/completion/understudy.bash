# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of understudy for bash. A test holds it to the table of commands.

_understudy_names()
{
	# names in the running relay's status: shows, or of show $1 what stands below head $2
	local status
	status=$(understudy status 2>/dev/null) || return
	if [ $# -eq 0 ]; then
		printf '%s\n' "$status" | sed -n 's/^\([A-Za-z0-9_-]*\)  \(ON\|OFF\) AIR.*/\1/p'
	else
		printf '%s\n' "$status" | awk -v show="$1" -v head="$2" '
			/^[A-Za-z0-9_-]+  (ON|OFF) AIR/ { inside = $1 == show; below = 0; next }
			$1 == head { below = 1; next }
			/^$/ { below = 0 }
			inside && below && NF { print $1 }'
	fi
}

_understudy()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
	local commands="run check status explain start end take auto pause resume events ledger preflight drill report witness version help" options=""
	COMPREPLY=()

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
		return
	fi
	case $before in
	-c | --config | --socket | --report | --state)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--since)
		mapfile -t COMPREPLY < <(compgen -W "5m 10m 1h 1d" -- "$word")
		return
		;;
	--scenario)
		mapfile -t COMPREPLY < <(compgen -W "pull-primary stall-primary starve-primary freeze-primary
			flap chain pull-all lose-destination= kill-worker= all" -- "$word")
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	run) options="--config --demo" ;;
	check) options="--config" ;;
	status) options="--json --watch --socket" ;;
	explain) options="--config --json --socket" ;;
	start | end | take | auto | pause | resume) options="--socket" ;;
	events) options="--json --follow --since --socket --state" ;;
	ledger) options="--json --csv --since --socket --state" ;;
	report) options="--since --report --socket --state" ;;
	preflight) options="--json --socket" ;;
	drill) options="--scenario --seconds --hard --live --practice --report --json --socket" ;;
	witness)
		options="--json"
		[ "${word:0:1}" = - ] || {
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
		}
		;;
	help) options="$commands" ;;
	esac
	case $word in
	-*) ;;
	*)
		case ${COMP_WORDS[1]}:$COMP_CWORD in
		drill:2 | ledger:2 | explain:2 | start:2 | end:2 | take:2 | auto:2 | pause:2 | resume:2)
			options=$(_understudy_names)
			;;
		take:3) options=$(_understudy_names "${COMP_WORDS[2]}" FEED) ;;
		pause:3 | resume:3)
			options=$(_understudy_names "${COMP_WORDS[2]}" DESTINATION)
			;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _understudy understudy
