/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_completion.c - drydock completion: what a shell needs to complete drydock's command lines */
/*
 * The scripts know nothing of the commands. They ask `drydock __complete -- WORD...`, which knows them from the one
 * table and each command's own help, so that a new command or option completes by itself. It prints a candidate a
 * line, with a tab and a description where there is one, or one line that begins with ':':
 *   :files  :dirs      a path is meant
 *   :command N         word N (1 is the one after "drydock") begins a command line of its own
 */
#include "base/own.h"
#include "cli/cmd.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/place.h"
#include "cli/policy_text.h"
#include "cli/term.h"


enum { OUT_MAX_BYTES = 1 << 20, HELP_MAX_BYTES = 64 << 10, WORDS_MAX = 1024, NAME_BYTES = 64, POLICY_MAX_BYTES = 64 << 20 };

struct completion_flags {
	bool is_help;
};

/* clang-format off */
static const struct option completion_options[] = {
	{'h', "help", NULL, "this text", OPTION_FLAG, offsetof(struct completion_flags, is_help)},
	{0},
};
/* clang-format on */

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char bash_script[] =
	"# bash completion for drydock; made by `drydock completion bash`\n"
	"_drydock() {\n"
	"	local line out\n"
	"	COMPREPLY=()\n"
	"	mapfile -t out < <(\"${COMP_WORDS[0]}\" __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"	case ${out[0]-} in\n"
	"	:command\\ *)\n"
	"		if declare -F _command_offset >/dev/null; then _command_offset \"${out[0]#:command }\"\n"
	"		else mapfile -t COMPREPLY < <(compgen -c -f -- \"${COMP_WORDS[COMP_CWORD]}\"); fi\n"
	"		return ;;\n"
	"	:files) mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"); compopt -o filenames; return ;;\n"
	"	:dirs) mapfile -t COMPREPLY < <(compgen -d -- \"${COMP_WORDS[COMP_CWORD]}\"); compopt -o filenames; return ;;\n"
	"	esac\n"
	"	for line in \"${out[@]}\"; do COMPREPLY+=(\"${line%%$'\\t'*}\"); done\n"
	"}\n"
	"complete -F _drydock drydock\n";

static const char zsh_script[] =
	"#compdef drydock\n"
	"# zsh completion for drydock; made by `drydock completion zsh`\n"
	"_drydock() {\n"
	"	local -a out shown\n"
	"	local line\n"
	"	out=(\"${(@f)$(${words[1]} __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"	case ${out[1]} in\n"
	"	:command\\ *) shift ${out[1]#:command } words; (( CURRENT -= ${out[1]#:command } )); _normal; return ;;\n"
	"	:files) _files; return ;;\n"
	"	:dirs) _files -/; return ;;\n"
	"	esac\n"
	"	for line in $out; do shown+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\"); done\n"
	"	_describe drydock shown\n"
	"}\n"
	"_drydock \"$@\"\n";

static const char fish_script[] =
	"# fish completion for drydock; made by `drydock completion fish`\n"
	"function __drydock_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l now (commandline -ct)\n"
	"	set -l out ($words[1] __complete -- $words[2..-1] \"$now\" 2>/dev/null)\n"
	"	switch \"$out[1]\"\n"
	"	case ':command *'\n"
	"		set -l n (string replace ':command ' '' -- $out[1])\n"
	"		complete -C (string join ' ' -- (string escape -- $words[(math $n + 1)..-1]) $now)\n"
	"	case ':files'\n"
	"		__fish_complete_path \"$now\"\n"
	"	case ':dirs'\n"
	"		__fish_complete_directories \"$now\"\n"
	"	case '*'\n"
	"		printf '%s\\n' $out\n"
	"	end\n"
	"end\n"
	"complete -c drydock -f -a '(__drydock_complete)'\n";

void cmd_completion_help(struct buf *out)
{
	/* constants: they fit */
	(void)buf_putf(out, "Usage: drydock completion bash|zsh|fish\n\n"
			    "Prints the script with which a shell completes drydock's command lines. Packages install "
			    "it; by hand:\n"
			    "  bash   source <(drydock completion bash)\n"
			    "  zsh    drydock completion zsh >\"${fpath[1]}/_drydock\"\n"
			    "  fish   drydock completion fish >~/.config/fish/completions/drydock.fish\n\n");
	options_print(completion_options, out);
}

int cmd_completion(char **argv)
{
	struct completion_flags flags = {0};
	struct option_list words;
	struct err err = {0};
	AUTO(buf) struct buf out = {.max = OUT_MAX_BYTES};

	if (options_parse_all(completion_options, &flags, argv, &words, &err) < 0)
		return term_usage("completion", &err);
	if (flags.is_help)
		return cmd_show_help("completion");
	const char *shell = words.n == 1 ? words.items[0] : "";
	if (!strcmp(shell, "bash"))
		(void)buf_put(&out, bash_script, sizeof(bash_script) - 1); /* it fits, here and below */
	else if (!strcmp(shell, "zsh"))
		(void)buf_put(&out, zsh_script, sizeof(zsh_script) - 1);
	else if (!strcmp(shell, "fish"))
		(void)buf_put(&out, fish_script, sizeof(fish_script) - 1);
	else {
		const char *near = *shell ? options_suggest(shell, shells) : NULL;
		err_set(&err, 0, near ? "completion takes bash, zsh or fish - did you mean '%s'?"
				      : "completion takes bash, zsh or fish", near);
		return term_usage("completion", &err);
	}
	return term_put(STDOUT_FILENO, &out);
}

/*
 * struct asked - one question
 * @words:	behind "drydock"; the last is the one to complete
 * @help:	the help of the command, NUL-terminated
 */
struct asked {
	char **words;
	size_t n;
	const char *now;
	struct buf help;
	struct buf out;
};

static void offer(struct asked *a, const char *word, const char *text)
{
	if (strncmp(word, a->now, strlen(a->now)) != 0)
		return;
	(void)buf_putf(&a->out, "%s%s%s\n", word, text && *text ? "\t" : "", text ? text : ""); /* cut is fine */
}

static void offer_list(struct asked *a, const char *const *list)
{
	for (; *list; list++)
		offer(a, *list, NULL);
}

/* struct found - one option as the help shows it */
struct found {
	char letter;
	char name[NAME_BYTES], value[NAME_BYTES];
	const char *text; /* up to the end of its line */
};

/* Reads "  -a, --allow RULE             allow this"; false for any other line. */
static bool read_option(const char *line, struct found *out)
{
	*out = (struct found){0};
	if (strncmp(line, "  ", 2) != 0)
		return false;
	line += 2;
	if (line[0] == '-' && line[1] != '-' && line[2] == ',') {
		out->letter = line[1];
		line += 3;
	}
	line += strspn(line, " ");
	if (strncmp(line, "--", 2) != 0)
		return false;
	size_t n = strcspn(line, " \n");
	(void)snprintf(out->name, sizeof(out->name), "%.*s", (int)n, line);
	line += n;
	if (line[0] == ' ' && line[1] != ' ' && line[1] != '\n' && line[1]) {
		n = strcspn(line + 1, " \n");
		(void)snprintf(out->value, sizeof(out->value), "%.*s", (int)n, line + 1);
		line += n + 1;
	}
	out->text = line + strspn(line, " ");
	return true;
}

typedef bool option_seen(const struct found *option, void *arg);

/* Calls @seen for every option of the command until it says true. */
static bool each_option(const struct asked *a, option_seen *seen, void *arg)
{
	struct found option;
	for (const char *line = (const char *)a->help.p; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (read_option(line, &option) && seen(&option, arg))
			return true;
	}
	return false;
}

struct wanted_option {
	const char *word;
	char value[NAME_BYTES];
};

static bool is_that(const struct found *option, void *arg)
{
	struct wanted_option *w = arg;
	bool is_short = w->word[0] == '-' && w->word[1] == option->letter && option->letter && !w->word[2];
	if (!is_short && strcmp(w->word, option->name) != 0)
		return false;
	memcpy(w->value, option->value, sizeof(w->value));
	return true;
}

static bool offer_option(const struct found *option, void *arg)
{
	struct asked *a = arg;
	char text[128];
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(option->text, "\n"), option->text);
	offer(a, option->name, text);
	return false;
}

static void offer_sessions(struct asked *a)
{
	struct place place;
	AUTO(mem) struct session_entry *list = NULL;
	size_t n = 0;
	if (place_find(&place, NULL) < 0 || session_list(&place.roots, &list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		offer(a, list[i].id, list[i].is_live ? "running" : "ended");
}

static void offer_presets(struct asked *a)
{
	struct place place;
	if (place_find(&place, NULL) < 0)
		return;
	for (size_t d = 0; place.preset_dirs[d]; d++) {
		AUTO(dir) DIR *dir = opendir(place.preset_dirs[d]);
		struct dirent *e;
		while (dir && (e = readdir(dir)))
			if (strspn(e->d_name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(e->d_name))
				offer(a, e->d_name, NULL);
	}
}

static void offer_host(const struct policy_line *line, void *arg)
{
	if (line->is_rule && line->rule.action == RULE_ALLOW && line->rule.subject == RULE_HOST)
		offer(arg, line->rule.name.text, NULL);
}

/* Hosts of the newest session's rules. */
static void offer_hosts(struct asked *a)
{
	struct place place;
	char id[SESSION_ID_BYTES];
	AUTO(buf) struct buf policy = {.max = POLICY_MAX_BYTES};
	if (place_find(&place, NULL) == 0 && session_find(&place.roots, NULL, id, NULL) == 0 &&
	    policy_text_read(place.roots.state, id, &policy, NULL) == 0)
		policy_text_each(buf_span(&policy), offer_host, a);
}

static void offer_commands(struct asked *a)
{
	for (const char *const *name = cmd_names(); *name; name++)
		offer(a, *name, cmd_text(*name));
}

/* By what help calls a value, as in "--chdir DIR" or "SESSION". */
static void offer_value(struct asked *a, const char *command, const char *value)
{
	bool is_path = strstr(value, "PATH") || strstr(value, "FILE");
	if (strstr(value, "SESSION"))
		offer_sessions(a);
	else if (!strcmp(value, "DIR"))
		(void)buf_putf(&a->out, ":dirs\n"); /* cut is fine, here and below */
	else if (is_path)
		(void)buf_putf(&a->out, ":files\n");
	else if (strstr(value, "HOST") || !strcmp(value, "RULE"))
		offer_hosts(a);
	else if (!strcmp(value, "NAME") && strcmp(command, "--name") != 0)
		offer_presets(a);
	else if (!strcmp(value, "COMMAND"))
		offer_commands(a);
	else if (strchr(value, '|')) {
		char copy[NAME_BYTES], *save = NULL;
		(void)snprintf(copy, sizeof(copy), "%s", value);
		for (char *word = strtok_r(copy, "|[]", &save); word; word = strtok_r(NULL, "|[]", &save))
			offer(a, word, NULL);
	}
}

/* What the usage line names behind the options. */
static void offer_positional(struct asked *a, const char *command, size_t n_before)
{
	char usage[256];
	const char *text = strstr((const char *)a->help.p, "Usage: ");
	(void)snprintf(usage, sizeof(usage), "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	if (!strcmp(command, "preset")) {
		if (n_before == 0)
			offer_list(a, (const char *const[]){"ls", "show", NULL});
		else if (n_before == 1)
			offer_presets(a);
	} else if (!strcmp(command, "completion")) {
		offer_list(a, shells);
	} else if (!strcmp(command, "help")) {
		offer_commands(a);
	} else if (strstr(usage, "SESSION")) {
		offer_sessions(a);
	} else if (strstr(usage, "HOST") || strstr(usage, "RULE")) {
		offer_hosts(a);
	} else if (strstr(usage, "DIR")) {
		(void)buf_putf(&a->out, ":dirs\n");
	}
}

/* Walks the words before the last one; true when a command line of the user's own has begun. */
static void complete(struct asked *a)
{
	const char *command = a->words[0];
	bool takes_command = !strcmp(command, "run") || !strcmp(command, "exec");
	size_t n_before = 0, n_own = !strcmp(command, "exec"); /* exec has a session first */
	struct wanted_option last = {0};
	bool is_over = false;

	for (size_t i = 1; i < a->n; i++) {
		const char *word = a->words[i];
		bool is_now = i + 1 == a->n;
		if (last.value[0]) { /* this word is the value of the option before it */
			if (is_now) {
				offer_value(a, last.word, last.value);
				return;
			}
			last = (struct wanted_option){0};
			continue;
		}
		if (!is_over && !is_now && !strcmp(word, "--")) {
			is_over = true;
			continue;
		}
		if (!is_over && word[0] == '-' && (takes_command || !is_now || word[0] == '-') &&
		    !(takes_command && n_before > n_own)) {
			if (is_now) {
				(void)each_option(a, offer_option, a);
				return;
			}
			last.word = word;
			if (!each_option(a, is_that, &last))
				last = (struct wanted_option){0};
			continue;
		}
		if (takes_command && n_before >= n_own) {
			(void)buf_putf(&a->out, ":command %zu\n", i + 1);
			return;
		}
		n_before += !is_now;
	}
	offer_positional(a, command, n_before);
}

int cmd_complete(char **argv)
{
	struct asked a = {.words = argv, .help = {.max = HELP_MAX_BYTES}, .out = {.max = OUT_MAX_BYTES}};

	if (*a.words && !strcmp(*a.words, "--"))
		a.words++;
	while (a.words[a.n] && a.n < WORDS_MAX)
		a.n++;
	if (a.n == 0)
		return EXIT_OK;
	a.now = a.words[a.n - 1];
	if (a.n == 1)
		offer_commands(&a);
	else if (cmd_print_help(a.words[0], &a.help) && buf_put(&a.help, "", 1))
		complete(&a);
	int code = term_put(STDOUT_FILENO, &a.out);
	buf_drop(&a.help);
	buf_drop(&a.out);
	return code;
}
