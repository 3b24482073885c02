#include "net/layer.h"

#include <algorithm>
#include <utility>

namespace overlord::net {

void LayerHost::run_later(StreamLayer& layer) {
  if (layer.waiting_ || layer.buried_) return;
  layer.waiting_ = true;
  waiting_.push_back(&layer);
}

void LayerHost::run() {
  running_.swap(waiting_);
  for (StreamLayer* layer : running_) {
    layer->waiting_ = false;
    if (!layer->buried_) layer->on_later();
  }
  running_.clear();
}

void LayerHost::bury(std::unique_ptr<StreamLayer> layer) {
  layer->buried_ = true;
  graves_.push_back(std::move(layer));
}

void LayerHost::empty_graves() {
  std::erase_if(waiting_, [](const StreamLayer* layer) { return layer->buried_; });
  graves_.clear();
}

std::span<char> LayerHost::room() {
  if (!blocks_.empty() && kBlockSize - used_ < kLeastRoom) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockSize));
  return {blocks_[block_].get() + used_, kBlockSize - used_};
}

void LayerHost::reset_room() {
  block_ = 0;
  used_ = 0;
  if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
}

}  // namespace overlord::net
