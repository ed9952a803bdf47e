#include "dense/tensor_exchange.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "dense/transfer.h"

namespace gcg {

namespace {

class HostExchange final : public TensorExchange {
 public:
  explicit HostExchange(Ranks& ranks) : ranks_(ranks) {}

  at::Tensor gather(const at::Tensor& own) override {
    const at::Tensor from = own.to(at::kCPU).contiguous();
    std::vector<std::int64_t> sizes = from.sizes().vec();
    sizes.insert(sizes.begin(), ranks_.size());
    const at::Tensor all = at::empty(sizes, from.options());
    ranks_.gather(host_bytes(from), host_bytes(all));
    return all.to(own.device());
  }

  void sum(const at::Tensor& values) override {
    const at::Tensor on_host = values.to(at::kCPU);  // itself if it is there
    ranks_.sum(host_memory(on_host));
    if (!values.device().is_cpu()) {
      values.copy_(on_host);
    }
  }

 private:
  Ranks& ranks_;
};

}  // namespace

std::unique_ptr<TensorExchange> exchange_on_host(Ranks& ranks) {
  return std::make_unique<HostExchange>(ranks);
}

}  // namespace gcg
