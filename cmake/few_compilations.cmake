# 17 interfaces become 197 files of C and C++, and nearly every one spends a second on the same headers. Where
# it is known which generators are at work (make setup: those of requirements-ros.txt), they are compiled
# several at a time. Not so rosidl_generator_c's, which define the same names in every file, and those of
# introspection_cpp, which want an order: these get their headers compiled once.
foreach(kind c cpp fastrtps_c fastrtps_cpp introspection_c)
  set(generated ${PROJECT_NAME}__rosidl_typesupport_${kind})
  if(TARGET ${generated})
    set_target_properties(${generated} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
    target_compile_options(${generated} PRIVATE -Wno-redundant-decls)
  endif()
endforeach()

set(generated ${PROJECT_NAME}__rosidl_typesupport_introspection_cpp)
if(TARGET ${generated})
  target_precompile_headers(${generated} PRIVATE <array> <cstdint> <functional> <memory> <string> <vector>
    <rosidl_runtime_cpp/bounded_vector.hpp> <rosidl_runtime_cpp/message_initialization.hpp>
    <rosidl_typesupport_introspection_cpp/field_types.hpp>
    <rosidl_typesupport_introspection_cpp/message_introspection.hpp>
    <rosidl_typesupport_introspection_cpp/service_introspection.hpp>
    <sensor_msgs/msg/camera_info.hpp> <sensor_msgs/msg/image.hpp>)
endif()
