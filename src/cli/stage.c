/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes of the demo (stage.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include <understudy/clock.h>
#include <understudy/text.h>

#include "client.h"
#include "stage.h"

#define START_US (10 * 1000000ll)
#define NGINX_MODULE "/usr/lib/nginx/modules/ngx_rtmp_module.so"
#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"

/* clang-format off */
static const char relay_config[] =
	"rtmp: { listen: \"127.0.0.1:%u\" }\n"
	"state_directory: \"%s\"\n"
	"socket: \"%s\"\n"
	"shows:\n"
	"  - name: demo\n"
	"    delay_ms: 3000\n"
	"    failover: { return: auto, return_after_s: 5 }\n"
	"    feeds:\n"
	"      - { name: primary, key: \"%s\" }\n"
	"      - { name: backup, key: \"%s\" }\n"
	"    destinations:\n"
	"      - { name: platform, url: \"rtmp://127.0.0.1:%u/live\", key: audience }\n"
	"      - { name: record, url: \"file:%s/recording-%%H%%M%%S.flv\" }\n";

static const char platform_config[] =
	"load_module " NGINX_MODULE ";\n"
	"daemon off;\n"
	"master_process off;\n"
	"pid nginx.pid;\n"
	"error_log platform.log warn;\n"
	"events { worker_connections 64; }\n"
	"rtmp {\n"
	"  server {\n"
	"    listen 127.0.0.1:%u;\n"
	"    chunk_size 4096;\n"
	"    access_log off;\n"
	"    application live { live on; record all; record_path %s; record_suffix -platform.flv; "
	"}\n"
	"  }\n"
	"}\n";

/* clang-format on */

/* ---- what it needs ---- */

/* Looks where daemons are kept, too: a user's PATH may lack it. */
static bool find_program(const char *name, char *to, size_t size)
{
	static const char *const places[] = { "/usr/local/bin", "/usr/bin", "/bin",
					      "/usr/local/sbin", "/usr/sbin" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		text_format(to, size, "%s/%s", places[i], name);
		if (access(to, X_OK) == 0) {
			return true;
		}
	}
	return false;
}

static int find_programs(struct stage *s)
{
	bool has_nginx = find_program("nginx", s->nginx, sizeof(s->nginx)) &&
			 access(NGINX_MODULE, R_OK) == 0;
	bool has_ffmpeg = find_program("ffmpeg", s->ffmpeg, sizeof(s->ffmpeg));

	if (has_nginx && has_ffmpeg) {
		return EXIT_DONE;
	}
	complain("the demo needs%s%s%s; install with `apt install%s%s`",
		 has_ffmpeg ? "" : " ffmpeg", has_ffmpeg || has_nginx ? "" : " and",
		 has_nginx ? "" : " nginx with its RTMP module", has_ffmpeg ? "" : " ffmpeg",
		 has_nginx ? "" : " nginx libnginx-mod-rtmp");
	return EXIT_FAILED;
}

/* A port that was free a moment ago: the program that gets it must open it itself. */
static uint16_t find_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		address.sin_port = 0;
	}
	if (fd >= 0) {
		close(fd);
	}
	return ntohs(address.sin_port);
}

static bool make_key(char key[33])
{
	uint8_t random[16];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(random); i++) {
		text_format(key + 2 * i, 3, "%02x", random[i]);
	}
	return true;
}

__attribute__((format(printf, 3, 4))) static bool write_file(const struct stage *s,
							     const char *name, const char *format,
							     ...)
{
	char path[128];
	va_list arguments;

	text_format(path, sizeof(path), "%s/%s", s->directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return false;
	}
	va_start(arguments, format);
	int wrote = vdprintf(fd, format, arguments);
	va_end(arguments);
	return close(fd) == 0 && wrote > 0;
}

int stage_init(struct stage *s)
{
	const char *temporary = getenv("TMPDIR");

	*s = (struct stage){ .directory = "" };
	int code = find_programs(s);
	if (code != EXIT_DONE) {
		return code;
	}
	s->relay_port = find_port();
	s->platform_port = find_port();
	if (s->relay_port == 0 || s->platform_port == 0 || !make_key(s->keys[0]) ||
	    !make_key(s->keys[1])) {
		complain("the demo found no free port: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (temporary == NULL || temporary[0] != '/' || strlen(temporary) > 30) {
		temporary = "/tmp";
	}
	text_format(s->directory, sizeof(s->directory), "%s/understudy-demo-XXXXXX", temporary);
	if (mkdtemp(s->directory) == NULL) {
		s->directory[0] = '\0';
		complain("the demo cannot make a directory in %s: %s", temporary, strerror(errno));
		return EXIT_FAILED;
	}
	text_format(s->socket, sizeof(s->socket), "%s/understudy.sock", s->directory);
	if (!write_file(s, "relay.yaml", relay_config, (unsigned)s->relay_port, s->directory,
			s->socket, s->keys[0], s->keys[1], (unsigned)s->platform_port,
			s->directory) ||
	    !write_file(s, "platform.conf", platform_config, (unsigned)s->platform_port,
			s->directory)) {
		complain("the demo cannot write into %s: %s", s->directory, strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* ---- processes ---- */

/* In the child: output into NAME.log, or standard output into `out_fd`. */
static void become(const struct stage *s, const char *name, int out_fd, const char *const argv[])
{
	char log[128];
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	text_format(log, sizeof(log), "%s/%s.log", s->directory, name);
	int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600),
	    null_fd = open("/dev/null", O_RDONLY);
	if (log_fd < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(out_fd >= 0 ? out_fd : log_fd, 1) < 0 || dup2(log_fd, 2) < 0) {
		_exit(127);
	}
	execv(argv[0], (char *const *)argv); /* which does not change them */
	_exit(127);
}

static int start(struct stage *s, enum stage_role role, const char *name, int out_fd,
		 const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		become(s, name, out_fd, argv);
	}
	if (pid < 0) {
		complain("the demo cannot start %s: %s", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	s->pids[role] = pid;
	return EXIT_DONE;
}

bool stage_is_running(struct stage *s, enum stage_role role)
{
	for (int i = 0; i < STAGE_ROLES; i++) {
		if (s->pids[i] > 0 && waitpid(s->pids[i], NULL, WNOHANG) == s->pids[i]) {
			s->pids[i] = 0;
		}
	}
	return s->pids[role] > 0;
}

void stage_kill(struct stage *s, enum stage_role role)
{
	if (s->pids[role] > 0) {
		kill(s->pids[role], SIGKILL);
		waitpid(s->pids[role], NULL, 0);
		s->pids[role] = 0;
	}
}

/* The relay ends by itself when told to, so that its recording is complete. */
static void end_relay(struct stage *s)
{
	int64_t deadline_us = clock_monotonic_us() + 3 * 1000000;

	if (s->pids[STAGE_RELAY] > 0) {
		kill(s->pids[STAGE_RELAY], SIGTERM);
	}
	while (stage_is_running(s, STAGE_RELAY) && clock_monotonic_us() < deadline_us) {
		poll(NULL, 0, 20);
	}
}

void stage_finish(struct stage *s)
{
	static const char *const left_overs[] = { "relay.yaml", "platform.conf", "nginx.pid",
						  "understudy.sock", "understudy.sock.lock" };
	char path[128];

	end_relay(s);
	for (int i = 0; i < STAGE_ROLES; i++) {
		stage_kill(s, (enum stage_role)i);
	}
	if (s->directory[0] == '\0') {
		return;
	}
	for (size_t i = 0; i < sizeof(left_overs) / sizeof(left_overs[0]); i++) {
		text_format(path, sizeof(path), "%s/%s", s->directory, left_overs[i]);
		unlink(path);
	}
}

static int complain_start(const struct stage *s, const char *what, const char *log)
{
	complain("the demo's %s did not start; see %s/%s.log", what, s->directory, log);
	return EXIT_FAILED;
}

static bool is_listening(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bool is_there = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return is_there;
}

int stage_start_platform(struct stage *s)
{
	const char *const argv[] = {
		s->nginx,        "-p", s->directory,   "-c",
		"platform.conf", "-e", "platform.log", geteuid() == 0 ? "-g" : NULL,
		"user root;",    NULL,
	};
	int64_t deadline_us = clock_monotonic_us() + START_US;
	int code = start(s, STAGE_PLATFORM, "platform", -1, argv);

	while (code == EXIT_DONE && !is_listening(s->platform_port)) {
		if (!stage_is_running(s, STAGE_PLATFORM) || clock_monotonic_us() > deadline_us) {
			return complain_start(s, "platform (nginx)", "platform");
		}
		poll(NULL, 0, 20);
	}
	return code;
}

/* The relay says `ready` on a line of its own. */
static bool wait_until_ready(int fd)
{
	int64_t deadline_us = clock_monotonic_us() + START_US;
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char text[4096];
	size_t used = 0;

	while (used < sizeof(text) - 1 && clock_monotonic_us() < deadline_us) {
		int ready = poll(&pollfd, 1, 200);
		ssize_t got = ready > 0 ? read(fd, text + used, sizeof(text) - 1 - used) : 0;

		if (ready > 0 && got <= 0) {
			return false;
		}
		used += (size_t)got;
		text[used] = '\0';
		if (strncmp(text, "ready\n", 6) == 0 || strstr(text, "\nready\n") != NULL) {
			return true;
		}
	}
	return false;
}

int stage_start_relay(struct stage *s)
{
	char path[128];
	const char *const argv[] = { "/proc/self/exe", "run", "-c", path, NULL };
	int out[2];

	text_format(path, sizeof(path), "%s/relay.yaml", s->directory);
	if (pipe2(out, O_CLOEXEC) < 0) {
		complain("the demo cannot make a pipe: %s", strerror(errno));
		return EXIT_FAILED;
	}
	int code = start(s, STAGE_RELAY, "relay", out[1], argv);
	close(out[1]);
	if (code == EXIT_DONE && !wait_until_ready(out[0])) {
		code = complain_start(s, "relay", "relay");
	}
	close(out[0]); /* it says nothing more on standard output */
	return code;
}

int stage_start_encoder(struct stage *s, enum stage_role role)
{
	bool is_primary = role == STAGE_PRIMARY;
	const char *word = is_primary ? "PRIMARY" : "BACKUP";
	const char *filter = "null";
	char clock[256], url[128];

	if (access(FONT, R_OK) == 0) {
		text_format(clock, sizeof(clock),
			    "drawtext=fontfile=" FONT ":text='%s  %%{localtime\\:%%X}':fontsize=40:"
			    "fontcolor=white:box=1:boxborderw=12:boxcolor=%s@0.8:x=(w-tw)/2:y=h-90",
			    word, is_primary ? "darkgreen" : "darkblue");
		filter = clock;
	}
	text_format(url, sizeof(url), "rtmp://127.0.0.1:%u/live/%s", (unsigned)s->relay_port,
		    s->keys[role - STAGE_PRIMARY]);
	/* clang-format off */
	const char *const argv[] = {
		s->ffmpeg, "-nostdin", "-loglevel", "warning",
		"-re", "-f", "lavfi", "-i",
		is_primary ? "testsrc2=size=640x360:rate=30" : "smptebars=size=640x360:rate=30",
		"-re", "-f", "lavfi", "-i",
		is_primary ? "sine=frequency=440:sample_rate=44100"
			   : "sine=frequency=660:sample_rate=44100",
		"-vf", filter, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast",
		"-tune", "zerolatency", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0",
		"-b:v", "1000k", "-maxrate", "1000k", "-bufsize", "1000k",
		"-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "96k", "-f", "flv", url, NULL,
	};
	/* clang-format on */
	return start(s, role, is_primary ? "primary" : "backup", -1, argv);
}
