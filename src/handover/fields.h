#pragma once
// Writing and reading the fields of a message, in order: numbers little-endian, texts with their length in front. A
// message type lists its fields once, in visit(), for both directions.
//
// Reading never goes beyond the bytes: what is missing makes the message bad, and so does what is left over.

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace overlord::handover {

class FieldWriter {
 public:
  template <std::unsigned_integral T>
  void operator()(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) out_.push_back(static_cast<char>(uint64_t{value} >> (8 * i)));
  }
  void operator()(bool value) { out_.push_back(value ? 1 : 0); }
  void operator()(std::string_view text) {
    (*this)(static_cast<uint32_t>(text.size()));
    out_.append(text);
  }
  void operator()(const std::string& text) { (*this)(std::string_view(text)); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : left_(bytes) {}

  template <std::unsigned_integral T>
  void operator()(T& value) {
    const std::string_view bytes = next(sizeof(T));
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size(); ++i) sum |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    value = static_cast<T>(sum);
  }
  void operator()(bool& value) {
    uint8_t byte = 0;
    (*this)(byte);
    if (byte > 1) good_ = false;
    value = byte == 1;
  }
  void operator()(std::string& text) {
    uint32_t size = 0;
    (*this)(size);
    text = next(size);
  }
  // All fields were there, and nothing else.
  bool whole() const { return good_ && left_.empty(); }

 private:
  std::string_view next(size_t size) {
    if (size > left_.size()) {
      good_ = false;
      left_ = {};
      return {};
    }
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return bytes;
  }

  std::string_view left_;
  bool good_ = true;
};

}  // namespace overlord::handover
