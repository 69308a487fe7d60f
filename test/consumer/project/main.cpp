// The squares of 0 to 9, each computed by a worker: the same in C++.
#include <shmframe/shmframe.h>

#include <iostream>
#include <memory>

namespace
{

extern "C" int square(struct shmf_task *task, void *)
{
    const auto number = static_cast<double>(shmf_task_index(task));
    return shmf_task_return_double(task, number * number);
}

template <auto release> struct Releases {
    template <typename T> void operator()(T *object) const
    {
        release(object);
    }
};
using Pool = std::unique_ptr<shmf_pool, Releases<shmf_pool_free>>;
using Iter = std::unique_ptr<shmf_iter, Releases<shmf_iter_free>>;
using Result = std::unique_ptr<shmf_result, Releases<shmf_result_free>>;

int fail(const shmf_error &err)
{
    std::cerr << shmf_status_name(err.code) << ": " << err.message << '\n';
    return 1;
}

} // namespace

int main()
{
    shmf_error err{};
    shmf_pool_options options{};
    shmf_tasks tasks{};
    options.workers = 2;
    tasks.count = 10;
    Pool pool(shmf_pool_new(&options, &err));
    if (!pool)
        return fail(err);
    Iter iter(shmf_pool_imap(pool.get(), square, &tasks, nullptr, &err));
    if (!iter)
        return fail(err);
    double sum = 0;
    shmf_result *next = nullptr;
    int rc;
    while ((rc = shmf_iter_next(iter.get(), &next, &err)) > 0)
        sum += shmf_result_double(Result(next).get());
    if (rc < 0)
        return fail(err);
    std::cout << "sum of squares: " << sum << '\n';
}
