#pragma once
// Document: a configuration file in TOML, read key by key; all that is wrong with it is told at once, each with its line.
//
//   Document file(text, "scheduler.toml");
//   Table top = file.top();
//   top.text("listen", config.listen);
//   top.finish();                        // keys that nobody asked for are unknown
//   for (const std::string& error : file.errors()) ...

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace overlord::settings {

class Document;

// A table of the file. The document must outlive it.
class Table {
 public:
  // The value goes into `into`; without the key that stays as it is. A value of another type, or out of range, is an
  // error of the document.
  void text(std::string_view key, std::string& into);
  void boolean(std::string_view key, bool& into);
  void number(std::string_view key, int64_t& into, int64_t lowest, int64_t highest);
  template <typename Number>
  void number(std::string_view key, Number& into, int64_t lowest, int64_t highest) {
    auto value = static_cast<int64_t>(into);
    number(key, value, lowest, highest);
    into = static_cast<Number>(value);
  }
  void texts(std::string_view key, std::vector<std::string>& into);  // one text alone is a list of it
  void text_map(std::string_view key, std::map<std::string, std::string>& into);
  // [[key]]
  std::vector<Table> tables(std::string_view key);
  bool has(std::string_view key) const;

  // What the caller finds wrong with the value of a key, or with the table when it is not there.
  void error(std::string_view key, const std::string& what);
  void warning(std::string_view key, const std::string& what);
  void finish();

 private:
  friend class Document;
  Table(Document& document, const void* table, std::string path)
      : document_(&document), table_(table), path_(std::move(path)) {}
  void wrong(std::string_view key, const char* expected);

  Document* document_;
  const void* table_;
  std::string path_;  // "hosts." in front of the keys
  std::vector<std::string> asked_;
};

class Document {
 public:
  // name: of the file, for messages.
  Document(std::string_view text, std::string name);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  // The error: it cannot be read at all.
  static Result<std::unique_ptr<Document>> open(const std::string& path);

  Table top();
  const std::vector<std::string>& errors() const { return errors_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class Table;
  struct Parsed;
  std::string place(const void* node) const;

  const std::string name_;
  std::unique_ptr<Parsed> parsed_;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

// "72h", "1h30m", "500ms", as Go writes them; nothing: it is none.
Result<int64_t> milliseconds_of(std::string_view text);

}  // namespace overlord::settings
