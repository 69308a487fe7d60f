/* Boost.Interprocess: results allocated in one managed segment, tasks and results announced through
 * message queues, workers forked. Memory that is freed is used again, as with libshmframe. */
#include "way.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ipc = boost::interprocess;

namespace
{

struct message {
    int64_t task; /* -1: no more */
    ipc::managed_shared_memory::handle_t result;
};

std::string name;
std::unique_ptr<ipc::managed_shared_memory> memory;
std::unique_ptr<ipc::message_queue> tasks, results;
std::vector<pid_t> workers;

/* In flight: few large results, many small ones. */
int64_t window()
{
    return way_work.result_bytes >= 1 << 16 ? setting.workers + 1 : 64;
}

void remove_all()
{
    ipc::shared_memory_object::remove((name + "-m").c_str());
    ipc::message_queue::remove((name + "-t").c_str());
    ipc::message_queue::remove((name + "-r").c_str());
}

message receive(ipc::message_queue &queue)
{
    message received{};
    ipc::message_queue::size_type size;
    unsigned priority;
    queue.receive(&received, sizeof received, size, priority);
    return received;
}

void work_off()
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (message next = receive(*tasks); next.task >= 0; next = receive(*tasks)) {
        void *result = memory->allocate(way_work.result_bytes);
        way_work.compute(&way_work, way_input, work_row(&way_work, next.task), next.task, result);
        next.result = memory->get_handle_from_address(result);
        results->send(&next, sizeof next, 0);
    }
    _exit(0);
}

void open_segment()
{
    name = "shmframe-bench-" + std::to_string(getpid());
    const auto count = static_cast<size_t>(window() + setting.workers + 1);
    memory = std::make_unique<ipc::managed_shared_memory>(ipc::create_only, (name + "-m").c_str(),
                                                          count * (way_work.result_bytes + 4096) +
                                                              (1 << 20));
    tasks = std::make_unique<ipc::message_queue>(ipc::create_only, (name + "-t").c_str(), count,
                                                 sizeof(message));
    results = std::make_unique<ipc::message_queue>(ipc::create_only, (name + "-r").c_str(), count,
                                                   sizeof(message));
    for (int w = 0; w < setting.workers; w++) {
        pid_t pid = fork();
        bench_need(pid >= 0, "fork");
        if (pid == 0)
            work_off();
        workers.push_back(pid);
    }
    remove_all(); /* everybody is attached by inheritance: nothing stays behind */
}

void run_segment(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    int64_t sent = 0;
    const double start = bench_now();
    for (int64_t taken = 0; taken < n; taken++) {
        for (; sent < n && sent - taken < window(); sent++) {
            message next{sent, 0};
            tasks->send(&next, sizeof next, 0);
        }
        message done = receive(*results);
        void *result = memory->get_address_from_handle(done.result);
        sum += work_consume(&way_work, done.task, result);
        memory->deallocate(result);
    }
    way_reply(reply, n, bench_now() - start, sum);
}

void close_segment()
{
    const message end{-1, 0};
    for (size_t i = 0; i < workers.size(); i++)
        tasks->send(&end, sizeof end, 0);
    for (pid_t pid : workers)
        waitpid(pid, nullptr, 0);
    memory.reset();
    tasks.reset();
    results.reset();
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    setting = {argv[1], argv[2], std::atoi(argv[3]), std::atoll(argv[4])};
    const struct measure measure = {nullptr,      "boost_interprocess", way_prepare,
                                    open_segment, run_segment,          close_segment};
    return bench_serve(&measure);
}
