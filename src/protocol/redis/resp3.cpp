#include "protocol/redis/resp3.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "protocol/redis/length_line.h"

namespace overlord::redis {
namespace {

constexpr std::string_view kNull = "_\r\n";
constexpr std::string_view kPairHeader = "*2\r\n";
constexpr std::string_view kTextMark = "txt:";
constexpr size_t kMaxLine = 24;
constexpr uint64_t kMaxCount = uint64_t{1} << 40;

constexpr Shape kPlain{};
constexpr Shape kExec{.array = ArrayForm::list};

// Only what the server writes for a double may stand behind ',': a line end in it would begin a reply of its own.
constexpr std::array<bool, 256> kOfNumbers = [] {
  std::array<bool, 256> made{};
  for (const char c : std::string_view("0123456789+-.eEinfaN")) made[static_cast<unsigned char>(c)] = true;
  return made;
}();

bool is_number(std::string_view text) {
  bool good = !text.empty();
  for (const char c : text) good = good && kOfNumbers[static_cast<unsigned char>(c)];
  return good;
}

// Copies n bytes, and up to kStride more that mean nothing where `from` has as many before `end`: a call of memcpy costs
// more than a short string.
constexpr size_t kStride = 32;

void copy_by_strides(char* to, const char* from, size_t n, const char* end) {
  if (static_cast<size_t>(end - from) < n + kStride) {
    std::memcpy(to, from, n);
    return;
  }
  size_t done = 0;
  do {
    std::memcpy(to + done, from + done, kStride);
    done += kStride;
  } while (done < n);
}

size_t write_header(char* line, char type, uint64_t number) {
  line[0] = type;
  char* end = std::to_chars(line + 1, line + kMaxLine - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<size_t>(end - line);
}

}  // namespace

// What is passed unchanged is gathered from `run` on and copied at once.
struct Resp3Converter::Output {
  ChunkPool& pool;
  ChunkQueue& queue;
  const char* run;

  // The bytes before `to` are passed, those from there to `next` are not.
  void skip(const char* to, const char* next) {
    if (to > run) queue.append(pool, run, static_cast<size_t>(to - run));
    run = next;
  }
  void add(std::string_view text) {
    if (!text.empty()) queue.append(pool, text);
  }
};

void Resp3Converter::start(ShapeId shape) {
  elements_ = {};
  shape_ = &shape_of(shape);
  state_ = State::type;
  keep_ = Keep::nothing;
  key_ = entry_ = first_ = false;
  kept_size_ = 0;
  body_left_ = 0;
  depth_ = 0;
}

void Resp3Converter::start_list(std::span<const ShapeId> elements) {
  start(ShapeId::plain);
  shape_ = &kExec;
  elements_ = elements;
}

void Resp3Converter::passed(uint64_t n) {
  body_left_ -= n;
  if (body_left_ == 0) value_done();
}

void Resp3Converter::convert(std::string_view bytes, ChunkPool& pool, ChunkQueue& queue) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  Output out{pool, queue, p};
  while (p != end && state_ < State::done) {
    switch (state_) {
      case State::type: p = take_value(p, end, out); break;
      case State::simple: p = take_simple(p, end); break;
      case State::line: p = take_line(p, end, out); break;
      default: p = take_body(p, end, out); break;
    }
  }
  out.skip(end, end);
}

const char* Resp3Converter::take_value(const char* p, const char* end, Output& out) {
  if (in_plain()) {
    p = take_plain_strings(p, end);
    if (frames_[depth_ - 1].left == 0) {
      value_done();
      return p;
    }
    if (p == end) return p;
  }
  if (depth_ > 0) {
    if (const Shape& around = *frames_[depth_ - 1].shape;
        around.array == ArrayForm::pairs && around.value == ShapeId::number) {
      p = take_scores(p, end, out);
      if (frames_[depth_ - 1].left == 0) {
        value_done();
        return p;
      }
      if (p == end) return p;
    }
    shape_ = next_shape();
  }
  type_ = *p;
  kept_size_ = 0;
  switch (type_) {
    case '$':
    case '*':
    case '%':
    case '~':
    case '>':
    case '=':
    case '!':
    case '|': state_ = State::line; return take_line(p, end, out);
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
    case '_':
      if (const std::string_view before = prefix(false); !before.empty()) {
        out.skip(p, p);
        out.add(before);
      }
      state_ = State::simple;
      return take_simple(p, end);
    default: state_ = State::broken; return p;
  }
}

// Short strings of which nothing changes.
const char* Resp3Converter::take_plain_strings(const char* p, const char* end) {
  Frame& frame = frames_[depth_ - 1];
  uint32_t length = 0;
  while (frame.left > 0) {
    const size_t line = short_length(p, end, '$', length);
    if (line == 0 || static_cast<size_t>(end - p) < line + length + 2) break;
    p += line + length + 2;
    --frame.left;
  }
  return p;
}

// Members with their scores, both short and whole.
const char* Resp3Converter::take_scores(const char* p, const char* end, Output& out) {
  Frame& frame = frames_[depth_ - 1];
  if (frame.index % 2 != 0) return p;
  const char* const begin = p;
  out.skip(p, p);
  while (frame.left >= 2) {
    uint32_t length = 0;
    uint32_t digits = 0;
    const size_t line = short_length(p, end, '$', length);
    const size_t member = line + length + 2;
    if (line == 0 || static_cast<size_t>(end - p) < member) break;
    const char* const score = p + member;
    const size_t score_line = short_length(score, end, '$', digits);
    if (score_line == 0 || digits >= kKept || static_cast<size_t>(end - score) < score_line + digits + 2) break;
    const char* const text = score + score_line;
    if (!is_number({text, digits})) break;
    const size_t size = kPairHeader.size() + member + 1 + digits + 2;
    char* at = out.queue.reserve(out.pool, size + 2 * kStride);
    std::memcpy(at, kPairHeader.data(), kPairHeader.size());
    at += kPairHeader.size();
    copy_by_strides(at, p, member, end);
    at += member;
    *at++ = ',';
    copy_by_strides(at, text, digits + 2, end);
    out.queue.commit(size);
    p = text + digits + 2;
    frame.left -= 2;
    frame.index += 2;
  }
  if (p != begin) out.run = p;
  return p;
}

const char* Resp3Converter::take_simple(const char* p, const char* end) {
  const auto* newline = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
  if (newline == nullptr) return end;
  value_done();
  return newline + 1;
}

const char* Resp3Converter::take_line(const char* p, const char* end, Output& out) {
  const auto* newline = static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
  const char* const next = newline == nullptr ? end : newline + 1;
  std::string_view line(p, static_cast<size_t>(next - p));
  const bool in_place = kept_size_ == 0 && newline != nullptr;
  bool good = kept_size_ + line.size() <= kMaxLine;
  if (good && !in_place) {
    out.skip(p, next);
    std::memcpy(kept_.data() + kept_size_, line.data(), line.size());
    kept_size_ += static_cast<uint32_t>(line.size());
    if (newline == nullptr) return next;
    line = {kept_.data(), kept_size_};
  }
  good = good && line_whole(line, in_place, p, next, out);
  if (!good) {
    if (kept_size_ > 0) out.add({kept_.data(), kept_size_});
    state_ = State::broken;
  }
  return next;
}

// "$3", "*4" and the like: writes what stands for it, and goes on to what is behind it.
bool Resp3Converter::line_whole(std::string_view line, bool in_place, const char* from, const char* next, Output& out) {
  int64_t number = 0;
  if (line.size() < 4 || line[line.size() - 2] != '\r' || !parse_number(line.substr(1, line.size() - 3), number)) {
    return false;
  }
  const bool null = number == -1 && (type_ == '$' || type_ == '*');
  auto count = static_cast<uint64_t>(number);
  if (!null && count > kMaxCount) return false;
  const std::string_view before = prefix(type_ == '*' && number == 2);
  bool drop = false;
  char mark = type_;
  uint64_t shown = count;
  if (type_ == '$' && !null) {
    mark = string_header(count, drop);
    if (mark == '=') shown += kTextMark.size();
  } else if (type_ == '*' && !null) {
    mark = array_header(shown, drop);
  } else if (type_ == '=' || type_ == '!') {
    body_left_ = count + 2;
    state_ = State::body;
  } else if (!null) {
    const uint64_t elements = type_ == '%' ? count * 2 : type_ == '|' ? count * 2 + 1 : count;
    push(elements, kPlain);
  }
  if (!in_place || null || drop || mark != type_ || shown != count || !before.empty()) {
    if (in_place) out.skip(from, next);
    out.add(before);
    if (null) {
      out.add(kNull);
    } else if (!drop) {
      char text[kMaxLine];
      out.add({text, write_header(text, mark, shown)});
      if (mark == '=' && type_ == '$') out.add(kTextMark);
    }
  }
  kept_size_ = 0;
  if (null) value_done();
  return true;
}

char Resp3Converter::string_header(uint64_t length, bool& drop) {
  body_left_ = length + 2;
  state_ = State::body;
  if (shape_->scalar == ScalarForm::number && length < kKept) {
    keep_ = Keep::number;
    drop = true;
  } else if (key_ && length <= kKept) {
    keep_ = Keep::key;
  }
  return shape_->scalar == ScalarForm::text ? '=' : '$';
}

char Resp3Converter::array_header(uint64_t& count, bool& drop) {
  const uint64_t elements = count;
  char mark = '*';
  const Shape* shape = shape_;
  switch (shape->array) {
    case ArrayForm::plain:
      // A pair that becomes a key and a value of the map around it.
      drop = entry_ && elements == 2;
      break;
    case ArrayForm::list:
      if (shape->empty_is_set && elements == 0) mark = '~';
      break;
    case ArrayForm::set: mark = '~'; break;
    case ArrayForm::push: mark = '>'; break;
    case ArrayForm::pair_map: mark = '%'; break;
    case ArrayForm::map:
    case ArrayForm::pairs:
      if (elements % 2 != 0) {
        shape = &kPlain;
        break;
      }
      count /= 2;
      if (shape->array == ArrayForm::map) mark = '%';
      break;
  }
  push(elements, *shape);
  return mark;
}

void Resp3Converter::push(uint64_t left, const Shape& shape) {
  state_ = State::type;
  if (left == 0) return value_done();
  // One whose elements do not change needs no more than their number.
  const bool same = &shape != &kExec && shape.value == ShapeId::plain && shape.places.empty() && shape.fields.empty() &&
                    shape.array != ArrayForm::pairs && shape.array != ArrayForm::pair_map;
  if (in_plain()) {
    frames_[depth_ - 1].left += left;
    return;
  }
  const Shape* as = same || depth_ + 1 == kDepth ? &kPlain : &shape;
  frames_[depth_++] = {.left = left, .index = 0, .shape = as, .value = ShapeId::plain};
}

// The shape of the element that begins now.
const Shape* Resp3Converter::next_shape() {
  Frame& frame = frames_[depth_ - 1];
  --frame.left;
  const uint64_t index = frame.index++;
  const Shape& shape = *frame.shape;
  key_ = first_ = false;
  entry_ = shape.array == ArrayForm::pair_map;
  ShapeId id = shape.value;
  switch (shape.array) {
    case ArrayForm::list:
      if (frame.shape == &kExec) {
        if (index < elements_.size()) id = elements_[index];
      } else if (index < shape.places.size()) {
        id = shape.places[index];
      }
      break;
    case ArrayForm::map:
      key_ = index % 2 == 0;
      id = key_ ? ShapeId::plain : frame.value;
      if (key_) frame.value = shape.value;
      break;
    case ArrayForm::pairs:
      first_ = index % 2 == 0;
      if (first_) id = ShapeId::plain;
      break;
    default: break;
  }
  return &shape_of(id);
}

// What must stand before the value that has begun.
std::string_view Resp3Converter::prefix(bool is_pair) const {
  if (depth_ == 0) return {};
  if (entry_ && !is_pair) return kNull;  // a value that came without its key
  return first_ ? kPairHeader : std::string_view{};
}

const char* Resp3Converter::take_body(const char* p, const char* end, Output& out) {
  const uint64_t taken = std::min(body_left_, static_cast<uint64_t>(end - p));
  if (keep_ != Keep::nothing) {
    const uint64_t text = body_left_ > 2 ? std::min(taken, body_left_ - 2) : 0;
    std::memcpy(kept_.data() + kept_size_, p, text);
    kept_size_ += static_cast<uint32_t>(text);
    if (keep_ == Keep::number) out.skip(p, p + taken);
  }
  body_left_ -= taken;
  if (body_left_ == 0) body_whole(out);
  return p + taken;
}

void Resp3Converter::body_whole(Output& out) {
  const std::string_view text(kept_.data(), kept_size_);
  if (keep_ == Keep::number) {
    char line[kMaxLine];
    out.add(is_number(text) ? std::string_view(",") : std::string_view(line, write_header(line, '$', kept_size_)));
    out.add(text);
    out.add("\r\n");
  } else if (keep_ == Keep::key) {
    Frame& frame = frames_[depth_ - 1];
    for (const ShapeField& field : frame.shape->fields) {
      if (field.key == text) frame.value = field.shape;
    }
  }
  value_done();
}

void Resp3Converter::value_done() {
  keep_ = Keep::nothing;
  kept_size_ = 0;
  state_ = State::type;
  while (depth_ > 0 && frames_[depth_ - 1].left == 0) --depth_;
  if (depth_ == 0) state_ = State::done;
}

}  // namespace overlord::redis
