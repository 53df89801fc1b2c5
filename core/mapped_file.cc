// SPDX-License-Identifier: Apache-2.0
#include "core/mapped_file.h"

#include <system_error>

#include "boost/interprocess/file_mapping.hpp"
#include "boost/interprocess/mapped_region.hpp"

namespace bitpact {
namespace bip = boost::interprocess;

Expected<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return Fail(ErrorCode::kNotFound, path.string() + ": no such file");
  }
  if (error) {
    return Fail(ErrorCode::kUnavailable,
                path.string() + ": " + error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    return InvalidArgument(path.string() + ": not a regular file");
  }
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    return Fail(ErrorCode::kUnavailable,
                path.string() + ": " + error.message());
  }
  MappedFile result;
  if (size == 0) return result;
  try {
    const bip::file_mapping mapping(path.c_str(), bip::read_only);
    auto region = std::make_shared<bip::mapped_region>(mapping, bip::read_only);
    result.bytes_ = {static_cast<const std::byte*>(region->get_address()),
                     region->get_size()};
    result.region_ = std::move(region);
  } catch (const bip::interprocess_exception& failure) {
    return Fail(ErrorCode::kUnavailable, path.string() + ": " + failure.what());
  }
  return result;
}

}  // namespace bitpact
