#include <charconv>

#include "api/config.h"

namespace overlord::api {
namespace {

std::unexpected<Error> wrong(const std::string& why) { return fail(why + "\n" + usage_text()); }

}  // namespace

std::string usage_text() {
  return "usage: overlord-apiserver [flags]\n"
         "  -conf FILE   configuration (default conf.toml)\n"
         "  -check       check the configuration, print every problem and exit: 0 when it is good, else 2\n"
         "  -log FILE    log to this file\n"
         "  -log-vl N    detail of the log, 0 to 1000\n"
         "  -std         log to standard output\n"
         "  -debug       the same as -std\n"
         "  -version     print the version and exit\n"
         "  -help        print this list and exit\n";
}

overlord::Result<Flags> parse_flags(int argc, const char* const* argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    std::string_view text = argv[i];
    if (!text.starts_with('-')) return wrong("unexpected argument " + std::string(text));
    text.remove_prefix(text.starts_with("--") ? 2 : 1);
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = text.substr(equals + 1);

    bool* const toggle = name == "std" || name == "debug" ? &flags.to_stdout
                         : name == "version"              ? &flags.version
                         : name == "check"                ? &flags.check
                         : name == "help" || name == "h"  ? &flags.help
                                                          : nullptr;
    if (toggle != nullptr) {
      if (value && *value != "true" && *value != "false")
        return wrong("-" + std::string(name) + " must be true or false");
      *toggle = !value || *value == "true";
      continue;
    }
    if (name != "conf" && name != "log" && name != "log-vl") return wrong("unknown flag -" + std::string(name));
    if (!value && i + 1 < argc) value = argv[++i];
    if (!value) return wrong("-" + std::string(name) + " needs a value");
    if (name == "conf") {
      flags.conf = *value;
    } else if (name == "log") {
      flags.log = *value;
    } else {
      const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), flags.log_verbosity);
      if (failure != std::errc{} || end != value->data() + value->size() || flags.log_verbosity < 0 ||
          flags.log_verbosity > 1000) {
        return wrong("-log-vl must be from 0 to 1000");
      }
    }
  }
  return flags;
}

}  // namespace overlord::api
